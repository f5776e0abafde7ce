"""ONNX files: OpenCV's own reader gets them, so each batch is read in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import clean_environment
from endurance import TOLD, endures, hostile, tried
from hypothesis import given
from hypothesis import strategies as st
from onnx_file import write_weighted_channels

from wsss_cli.models.saliency_network import SaliencyNetwork

READER = "ONNX networks"
CASES = int(TOLD or 60)
BATCH = f"""
import random, resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import numpy as np
from wsss_cli.errors import WsssError
from wsss_cli.models.saliency_network import SaliencyNetwork
good, path, seed, cases = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), *map(int, sys.argv[3:])
image = np.zeros((32, 32, 3), np.uint8)
resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
for case in range(seed, seed + cases):
    rng = random.Random(case)
    content = bytearray(good)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(content))
        kind = rng.randrange(4)
        if kind < 2:
            content[at] = rng.choice((rng.randrange(256), 0, 255, content[at] ^ 1 << at % 8))
        elif kind == 2:
            del content[at:at + rng.choice((1, 4, len(content)))]
        else:
            content[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(9)))
    path.write_bytes(content)
    print(case, end=" ", flush=True)
    try:
        SaliencyNetwork(path, 32).saliency(image)
        print("read")
    except WsssError as error:
        assert str(error) and "\\n" not in str(error), error
        print("refused")
"""


def _batch(tmp_path: Path, seed: int, cases: int) -> list[str]:
    good = write_weighted_channels(tmp_path / "good.onnx", (1.0, 2.0, 3.0))
    done = subprocess.run(
        [sys.executable, "-c", BATCH, good, tmp_path / "a.onnx", str(seed), str(cases)],
        capture_output=True,
        text=True,
        errors="replace",  # OpenCV quotes names out of the file
        env=clean_environment(),
        timeout=600,
        check=False,
    )
    lines = done.stdout.splitlines()
    for line in lines:
        tried[READER, line.split()[-1]] += 1
    assert done.returncode == 0, f"case {lines[-1] if lines else seed}: {done.stderr[-800:]}"
    return lines


def test_spoiled_networks_are_endured(tmp_path: Path) -> None:
    lines = _batch(tmp_path, 0, CASES)
    assert {line.split()[-1] for line in lines} == {"read", "refused"}


@pytest.mark.parametrize("size", [(1, 1), (2**20, 1), (2**40, 2**40)])
def test_declared_shapes_are_endured(tmp_path: Path, size: tuple[int, int]) -> None:
    """The tensor holds three numbers, whatever it declares."""
    path = write_weighted_channels(tmp_path / "a.onnx", (1.0, 2.0, 3.0), maps=1, size=size[0])
    endures(READER, lambda: SaliencyNetwork(path, 32))


@hostile
@given(content=st.binary(max_size=64))
def test_any_bytes_are_endured(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    endures(READER, lambda: SaliencyNetwork(path, 32))
