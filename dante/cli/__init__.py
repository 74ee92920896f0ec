"""The front door: `dante …`. Commands only ask the rooms below and show what they answer."""

import atexit
import gc
import os
import sys
from typing import NoReturn

__all__ = ["command", "main"]


def command() -> NoReturn:
    """The process of a command: `main`, and an end without farewell."""
    code = 1

    def leave() -> None:
        nonlocal code
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:  # closed before we came
                    stream.flush()
        except OSError:  # nobody reads it
            code = code or 1
        finally:
            os._exit(code)

    # Python takes all that was ever loaded apart before it ends, which takes longer than many a
    # command. What is registered first is called last: whoever we load has tidied up by then.
    atexit.register(leave)
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except KeyboardInterrupt:
        code = 130
        raise


def main() -> NoReturn:
    """Run the command line; the only place that turns errors into exit codes."""
    # Most of a short command is loading modules, and a tenth of that Python's search for garbage.
    gc.set_threshold(50_000)
    from dante.cli.app import app
    from dante.cli.output import clean, say
    from dante.errors import DanteError

    message, code = "", 0
    # Exiting inside an `except` would keep the error's frames, and what they hold open, alive.
    try:
        code = app(standalone_mode=False, prog_name="dante") or 0
        if code == 130:
            message = "stopped; the same command goes on from here"
    except DanteError as error:
        message, code = str(error), error.exit_code
    except OSError as error:
        # A full disk, a file where a folder should be, no permission: faults of the machine.
        place = "" if error.filename is None else f"{error.filename}: "
        message, code = f"{place}{error.strerror or error}", 1
    except Exception as error:
        told = getattr(error, "format_message", None)
        if told is not None:  # the parser's errors: the command line was not understood
            message, code = told(), 2
        elif os.environ.get("DANTE_DEBUG"):
            raise
        else:
            message = f"a bug: {type(error).__name__}: {error}; DANTE_DEBUG=1 shows where"
            code = 1
    if message:
        # Names and values in it may be anybody's: no line break or escape reaches a terminal.
        say(f"dante: {clean(' '.join(message.split()))}")
    sys.exit(code)
