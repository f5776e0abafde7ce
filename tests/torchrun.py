"""Commands in several processes at a time, as ``torchrun`` starts them."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from conftest import clean_environment, script

PATIENCE = 240.0


@contextmanager
def ranks_started(
    world: int, arguments: Sequence[object], program: str | None = None
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a program, else the installed command, for each rank in ``torchrun``'s environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        subprocess.Popen(
            [program or script(), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(
                {
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(port),
                    "WORLD_SIZE": str(world),
                    "LOCAL_WORLD_SIZE": str(world),
                    "RANK": str(rank),
                    "LOCAL_RANK": str(rank),
                }
            ),
        )
        for rank in range(world)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def run_ranks(world: int, arguments: Sequence[object], program: str | None = None) -> list[str]:
    """Run the program, else the command, to its end; returns what each rank printed."""
    with ranks_started(world, arguments, program) as processes:
        printed = [process.communicate(timeout=PATIENCE) for process in processes]
    codes = [process.returncode for process in processes]
    assert codes == [0] * world, [err for _, err in printed]
    return [out for out, _ in printed]
