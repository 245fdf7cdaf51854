"""A fake daemon does not live on without one of its threads."""

import subprocess
import sys

from lab import ROOT

FAILING_THREAD = """
import threading, time
from lab.fakes.wire import threads

def fail():
    raise KeyError("master")

threads.exit_on_error()
threading.Thread(target=fail, daemon=True).start()
time.sleep(60)
"""


def test_the_error_of_a_thread_ends_the_daemon():
    """Without the thread that registers it, an agent would answer and never be active again."""
    done = subprocess.run(
        [sys.executable, "-c", FAILING_THREAD], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 1
    assert "KeyError: 'master'" in done.stderr
