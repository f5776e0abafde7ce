"""The installed command as a process that a test can watch, kill and interrupt."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from conftest import clean_environment, script

PATIENCE = 120.0  # seconds before a test gives up waiting


@contextmanager
def started(arguments: Sequence[object]) -> Iterator[subprocess.Popen[str]]:
    """Start the command; it does not outlive the block."""
    process = subprocess.Popen(
        [script(), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        # A shell makes what it starts in the background, a whole test run say, ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Wait for a condition that comes true while the command runs."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"ended too early: {process.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.002)
