"""What can go wrong with a request, besides what `dante.errors` names already."""

from dante.errors import BusyError, UsageError

__all__ = ["NotFoundError", "TooLongError"]


class NotFoundError(UsageError):
    """There is no such track, day or sender."""


class TooLongError(BusyError):
    """A question took longer than a page may, and was stopped."""
