"""Programs that a run starts: none outlives it, and none is waited for without end."""

import subprocess
import threading

# Bounds for a machine that is busy, not expectations.
END_SECONDS = 60
FINISH_SECONDS = 600


def end(process, seconds=END_SECONDS):
    """End a child in order, or, if it takes too long, with -9. What it ended with."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(timeout=seconds)


def lives(process, seconds):
    """Have a child killed after so long; whoever reads from it then reads its end. Cancel it when it is not needed."""
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.daemon = True
    watchdog.start()
    return watchdog


def finish(command, **options):
    """Run a program to its end. What it ended with, and what it said, as text."""
    options = {"stdout": subprocess.PIPE, "text": True, "timeout": FINISH_SECONDS, "check": False, **options}
    try:
        return subprocess.run(command, **options)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"not finished in {FINISH_SECONDS} s: {command}") from None
