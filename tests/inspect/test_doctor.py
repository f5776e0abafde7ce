"""``wsss doctor`` on machines made of text files, and on this one."""

import json
import os
from pathlib import Path

import pytest
import torch
from conftest import Command, TinyVoc

from wsss_cli.configs.common import CommonConfig
from wsss_cli.inspect import doctor
from wsss_cli.inspect.doctor import libraries, machine, space
from wsss_cli.inspect.doctor.machine import Machine

GIB = 2**30


def _machine(root: Path, files: dict[str, str]) -> Machine:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Machine(root)


def test_least_quota_of_the_groups_above_counts(tmp_path: Path) -> None:
    found = _machine(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pod/job\n",
            "sys/fs/cgroup/pod/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/pod/job/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/job/memory.max": f"{6 * GIB}\n",
            "sys/fs/cgroup/pod/job/memory.current": f"{2 * GIB}\n",
            "proc/meminfo": f"MemTotal: {64 * 2**20} kB\nMemAvailable: {32 * 2**20} kB\n",
        },
    )
    assert found.quota() == 1.5
    assert found.memory() == (6 * GIB, 4 * GIB)


def test_first_version_of_the_groups_is_read_too(tmp_path: Path) -> None:
    found = _machine(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/box\n3:cpu,cpuacct:/box\n",
            "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/box/memory.usage_in_bytes": "1\n",
            "proc/meminfo": "MemTotal: 1024 kB\nMemAvailable: 512 kB\n",
        },
    )
    assert found.quota() == 3
    assert found.memory() == (2**20, 2**19)


def test_machine_that_tells_nothing_is_unknown(tmp_path: Path) -> None:
    found = Machine(tmp_path)
    assert (found.quota(), found.memory(), found.file_system(tmp_path)) == (
        None,
        (None, None),
        None,
    )


def test_deepest_mount_is_the_file_system(tmp_path: Path) -> None:
    mounts = (
        "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\ntmp /my\\040disk tmpfs rw 0 0\n"
    )
    found = _machine(tmp_path, {"proc/mounts": mounts})
    assert found.file_system(Path("/home/me/VOC2012")) == "nfs4"
    assert found.file_system(Path("/homestead")) == "ext4"
    assert found.file_system(Path("/my disk/x")) == "tmpfs"


def test_slow_things_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(Machine, "cores", lambda _: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    found = _machine(
        tmp_path,
        {
            "proc/meminfo": f"MemTotal: {2**20} kB\nMemAvailable: {2**20} kB\n",
            "proc/mounts": "server:/ / nfs rw 0 0\n",
            "proc/driver/nvidia/version": "NVRM",
        },
    )
    values = doctor.run(CommonConfig(run=tmp_path / "run"), found).values
    said = "\n".join(values["slow"])
    assert all(fact in said for fact in ("1 of 8 cores", "set OMP_NUM_THREADS=8"))
    assert "nfs" in said
    if not torch.cuda.is_available():
        assert "NVIDIA" in said
        assert "1.0 GiB of memory" in said
    assert values["usable"]


def test_more_threads_than_the_container_is_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}
    values = doctor.run(CommonConfig(run=tmp_path), _machine(tmp_path, files)).values
    assert values["threads"]["quota"] == 2.5
    (said,) = [text for text in values["slow"] if "granted" in text]
    assert "16 threads" in said
    assert "2.5 cores" in said


def test_bytes_of_attention_are_those_that_attend_writes(voc: TinyVoc, trained: Path) -> None:
    """Every image of the small list is looked at, so the estimate is exact but for HDF5 itself."""
    import h5py

    from wsss_cli.data.layouts import find_data_set

    estimate = space.estimate(find_data_set(voc.root))
    with h5py.File(trained / "attend" / "attention.h5") as file:
        stored = sum(file[image_id]["maps"].nbytes for image_id in file)
    assert estimate.attention == stored
    assert (estimate.images, estimate.sampled) == (len(voc.train_ids), len(voc.train_ids))


def test_bytes_of_networks_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub:
        @staticmethod
        def build(*_: object) -> torch.nn.Module:
            return torch.nn.Linear(999, 1)  # 1000 numbers

    monkeypatch.setattr(space, "import_method", lambda _: Stub)
    monkeypatch.setattr(space.deeplab_largefov, "build", lambda *_: torch.nn.Linear(9, 10))
    assert space._networks(20) == 4000 + 400 + 2 * 2 * 4000


def test_features_are_told_before_they_are_there_and_when_they_are(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    facts = wsss("doctor", "--data", voc.root, "--run", tmp_path, "--json").values
    per_image = 512 * 28 * 28 * 2  # half floats of conv5 at a stride of 8, of squares of 224
    assert facts["writes"]["features"] == pytest.approx(per_image * len(voc.train_ids), rel=1e-3)
    assert facts["disk"]["features"] == 0
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "features.bin").write_bytes(bytes(3 * 2**20))
    assert wsss("doctor", "--run", tmp_path, "--json").values["disk"]["features"] == 3 * 2**20
    assert "3 MiB of features" in wsss("doctor", "--run", tmp_path).out
    (tmp_path / "segment").mkdir()
    (tmp_path / "segment" / "features.bin").write_bytes(bytes(2**20))
    assert wsss("doctor", "--run", tmp_path, "--json").values["disk"]["features"] == 4 * 2**20


def test_full_disk_and_broken_library_make_it_unusable(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda _: 1000)
    outcome = wsss("doctor", "--data", voc.root, "--run", tmp_path / "run", "--json")
    assert outcome.code == 1
    values = outcome.values
    assert not values["usable"]
    (said,) = values["unusable"]
    assert "another --run" in said

    def broken(_: object) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.undo()
    monkeypatch.setattr(libraries, "_opencv", broken)
    outcome = wsss("doctor", "--run", tmp_path / "run")
    assert outcome.code == 1
    assert all(fact in outcome.out for fact in ("opencv-python", "libGL.so.1"))
    assert "reinstall" in outcome.out
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_place_that_cannot_be_written_to(wsss: Command, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    outcome = wsss("doctor", "--run", tmp_path / "run")
    tmp_path.chmod(0o700)
    assert outcome.code == 1
    assert "another --run" in outcome.out


def test_run_that_is_a_file_cannot_be_written_to(wsss: Command, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    outcome = wsss("doctor", "--run", tmp_path / "run")
    assert outcome.code == 1
    assert "another --run" in outcome.out


def test_state_of_the_cached_weights(
    wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(machine, "free_bytes", lambda _: 2**40)
    monkeypatch.setattr(doctor, "free_bytes", lambda _: 2**40)

    def weights() -> dict[str, str]:
        return json.loads(wsss("doctor", "--json").out)["weights"]

    assert weights()["state"] == "downloadable"
    path = Path(weights()["file"])
    assert path.parent == tmp_path / "checkpoints"
    path.parent.mkdir()
    path.write_bytes(b"cut off")
    assert weights()["state"] == "of a wrong size; remove it"
    with path.open("r+b") as file:  # a file of holes
        file.truncate(round(527.802 * 2**20))
    assert weights()["state"] == "there"


def test_no_data_set_is_said_beside_the_rest(wsss: Command, tmp_path: Path) -> None:
    absent = wsss("doctor", "--data", tmp_path / "nowhere", "--run", tmp_path)
    assert absent.code == 2
    assert "does not exist" in absent.err
    outcome = wsss("doctor", "--data", tmp_path, "--run", tmp_path)
    assert outcome.code == 1
    assert "JPEGImages" in outcome.out
    assert "libraries" in outcome.out
