"""The front door: `dante …`. Commands only ask the rooms below and show what they answer."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; the only place that turns errors into exit codes."""
    from dante.cli.app import app
    from dante.errors import DanteError

    # Exiting inside an `except` would keep the error's frames, and what they hold open, alive.
    try:
        app()
        return
    except DanteError as error:
        message, code = str(error), error.exit_code
    except KeyboardInterrupt:
        message, code = "stopped; the same command goes on from here", 130
    except BrokenPipeError:
        # Whoever reads has had enough (`dante tracks | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except Exception as error:
        if os.environ.get("DANTE_DEBUG"):
            raise
        message, code = f"a bug: {type(error).__name__}: {error}; DANTE_DEBUG=1 shows where", 1
    print(f"dante: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
