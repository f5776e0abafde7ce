"""Full disks, disks that cannot be written to, and clocks that nobody should look at."""

import ast
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import TinyVoc, clean_environment, draw_voc, script, train_arguments

import wsss_cli

pytestmark = pytest.mark.slow


def _on_own_disk(*commands: str) -> subprocess.CompletedProcess[str]:
    """Run shell commands where they may mount; nobody else sees what they mount."""
    if shutil.which("unshare") is None:
        pytest.skip("this system has no unshare, so the test has no disk of its own to fill")
    lines = ["set -u", *commands]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=240,
        check=False,
    )
    if "unshare" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(f"this system allows no disk of the test's own: {done.stderr.strip()}")
    return done


def _command(arguments: Sequence[object]) -> str:
    return " ".join(map(str, (script(), *arguments)))


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> TinyVoc:
    """Images enough for three shards of attention."""
    return draw_voc(tmp_path_factory.mktemp("crowd"), train=280, val=4)


def _stages(trained: Path, crowd: TinyVoc, run: Path) -> dict[str, str]:
    checkpoint = trained / "train" / "checkpoint.pt"
    data = ["--data", crowd.root, "--run", run]
    return {
        "attend": _command(["attend", "--checkpoint", checkpoint, "--size", "64", *data]),
        "proxy": _command(["proxy", "--saliency", crowd.saliency, "--run", run]),
    }


def test_a_full_disk_is_one_sentence_and_with_more_space_the_same_bytes(
    trained: Path, crowd: TinyVoc, tmp_path: Path
) -> None:
    disk, whole, kept = tmp_path / "disk", tmp_path / "whole", tmp_path / "kept"
    for command in _stages(trained, crowd, whole).values():
        subprocess.run(command.split(), check=True, capture_output=True, env=clean_environment())
    disk.mkdir()
    stages = _stages(trained, crowd, disk / "run")
    # Room for one shard of the three; then for the attention, but not for all label maps.
    done = _on_own_disk(
        f"mount -t tmpfs -o size=1500k tmpfs {disk}",
        f"{stages['attend']}; echo code $?",
        f"ls {disk}/run/attend/shards",
        f"mount -o remount,size=4m {disk}",
        f"{stages['attend']} -q; echo code $?",
        f"head -c 4m /dev/zero > {disk}/filling 2> /dev/null",
        f"{stages['proxy']}; echo code $?",
        f"rm {disk}/filling; mount -o remount,size=50m {disk}",
        f"{stages['proxy']} -q; echo code $?",
        f"cp -r {disk}/run {kept}",
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code ")]
    assert codes == ["code 1", "code 0", "code 1", "code 0"], done.stderr
    assert done.stdout.count(".h5") >= 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert all("the disk is full" in error for error in errors)
    assert "Traceback" not in done.stderr
    made = [path for path in whole.rglob("*") if path.suffix in (".h5", ".png")]
    assert len(made) > len(crowd.train_ids)
    for path in made:
        assert (kept / path.relative_to(whole)).read_bytes() == path.read_bytes()
    assert not list(kept.rglob("*.partial"))


def test_a_disk_that_cannot_be_written_to_is_one_sentence(voc: TinyVoc, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = _on_own_disk(
        f"mount -t tmpfs -o size=50m tmpfs {disk}",
        f"mount -o remount,ro {disk}",
        f"{_command(train_arguments(voc, disk / 'run'))}; echo code $?",
    )
    assert done.stdout.splitlines() == ["code 1"], done.stderr
    assert done.stderr.count("error: ") == 1
    assert str(disk) in done.stderr
    assert "Read-only" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_decided_by_a_clock_or_by_the_age_of_a_file() -> None:
    """A clock may jump: it is only written down, in manifests and logs, or measures a rate."""
    ages = {"st_mtime", "st_ctime", "st_atime", "st_mtime_ns", "getmtime", "getctime"}
    for path in Path(wsss_cli.__file__).parent.rglob("*.py"):
        syntax = ast.parse(path.read_text())
        used = {node.attr for node in ast.walk(syntax) if isinstance(node, ast.Attribute)}
        assert not used & ages, path
        called = {ast.unparse(n.func) for n in ast.walk(syntax) if isinstance(n, ast.Call)}
        assert "time.time" not in called, path
