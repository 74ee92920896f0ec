"""Every error DANTE raises on purpose, and the exit code each one means.

The message of an error is one sentence a person can act on: what happened, in which file or
day, and what to do next. `dante.cli` is the only place that turns errors into exit codes.
"""

__all__ = [
    "BusyError",
    "ConfigError",
    "ContractBrokenError",
    "DanteError",
    "NotEnoughDataError",
    "SourceError",
    "UnreachableError",
    "UsageError",
]


class DanteError(Exception):
    """The root of all errors raised on purpose; exit code 1, "failed"."""

    exit_code = 1


class SourceError(DanteError):
    """A file cannot be read as packets at all; single bad rows go to quarantine instead."""


class BusyError(DanteError):
    """Another process holds the home's database or lock; the same call may succeed later."""


class UnreachableError(DanteError):
    """A machine of others does not answer; the same call may succeed later."""


class UsageError(DanteError):
    """The request itself is wrong: an unknown format, a last day before the first."""

    exit_code = 2


class ConfigError(UsageError):
    """A settings or mapping file says something that is not understood."""


class ContractBrokenError(DanteError):
    """A day's data broke its contract with severity *error*; running it again will not help."""

    exit_code = 3


class NotEnoughDataError(DanteError):
    """There is nothing, or too little, to work on."""

    exit_code = 4
