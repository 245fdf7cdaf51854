"""What a fake daemon does if one of its threads fails."""

import os
import sys
import threading
import traceback


def exit_on_error() -> None:
    """End the process, with a traceback in the journal, at the first error in any thread."""
    threading.excepthook = _exit


def _exit(error: threading.ExceptHookArgs) -> None:
    """
    Print the traceback and exit with 1.

    Without a thread the daemon would go on answering, and an agent would never register again. The
    real daemons abort. systemd starts both again.
    """
    traceback.print_exception(error.exc_type, error.exc_value, error.exc_traceback)
    sys.stderr.flush()
    os._exit(1)
