"""What the machine allows this process: cores, memory and disks, as Linux tells; else unknown.

A container's limits are those of its control groups (cgroups), which ``os.cpu_count`` and
``free`` do not see.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# File systems on other machines, where many small files take long; as /proc/mounts names them.
NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs"),
        *("glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.gcsfuse", "fuse.s3fs", "fuse.rclone"),
    }
)
# cgroup v1's way of saying "no limit" is a number near 2**63.
_UNLIMITED = 2**62


@dataclass(frozen=True)
class Machine:
    """The view from a root directory, which only tests move.

    Attributes:
        root: Where ``proc`` and ``sys`` lie.
    """

    root: Path = Path("/")

    def cores(self) -> int:
        """Cores that this process may run on."""
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    def quota(self) -> float | None:
        """How many cores' time the control groups grant; None where they grant all."""
        grants = []
        for text in self._settings("cpu.max"):
            granted, period = text.split()
            if granted != "max":
                grants.append(int(granted) / int(period))
        quotas = self._settings("cpu.cfs_quota_us", controller="cpu")
        periods = self._settings("cpu.cfs_period_us", controller="cpu")
        for granted, period in zip(quotas, periods, strict=False):
            if int(granted) > 0:  # -1 is no limit
                grants.append(int(granted) / int(period))
        return min(grants, default=None)

    def memory(self) -> tuple[int | None, int | None]:
        """Total and available bytes: the smaller of the machine's and the control groups'."""
        limits = {}
        for line in self._lines("proc/meminfo"):
            name, _, amount = line.partition(":")
            if name in ("MemTotal", "MemAvailable"):
                limits[name] = 1024 * int(amount.split()[0])
        total, available = limits.get("MemTotal"), limits.get("MemAvailable")
        v2 = zip(self._settings("memory.max"), self._settings("memory.current"), strict=False)
        v1 = zip(
            self._settings("memory.limit_in_bytes", controller="memory"),
            self._settings("memory.usage_in_bytes", controller="memory"),
            strict=False,
        )
        for limit, used in (*v2, *v1):
            if limit != "max" and int(limit) < _UNLIMITED:
                left = max(0, int(limit) - int(used))
                total = int(limit) if total is None else min(total, int(limit))
                available = left if available is None else min(available, left)
        return total, available

    def has_nvidia_driver(self) -> bool:
        """Whether a driver for NVIDIA's GPUs is loaded."""
        return (self.root / "proc/driver/nvidia/version").exists()

    def file_system(self, path: Path) -> str | None:
        """The kind of file system that a place is on, such as ``ext4``; None where unknown."""
        best: tuple[int, str] | None = None
        resolved = path.resolve()
        for line in self._lines("proc/mounts"):
            fields = line.split()
            if len(fields) < 3:
                continue
            mounted = Path(fields[1].replace("\\040", " "))
            if resolved.is_relative_to(mounted):
                depth = len(mounted.parts)
                best = max(best or (0, ""), (depth, fields[2]), key=lambda one: one[0])
        return best[1] if best else None

    def _settings(self, name: str, controller: str = "") -> list[str]:
        """A control group's setting and those of the groups that it is in, where they are told."""
        return [path.read_text().strip() for path in self._setting_files(name, controller)]

    def _setting_files(self, name: str, controller: str) -> Iterator[Path]:
        top = self.root / "sys/fs/cgroup" / controller
        for line in self._lines("proc/self/cgroup"):
            _, controllers, group = line.split(":", 2)
            if controller in controllers.split(","):
                folder = top / group.strip().lstrip("/")
                while folder.is_relative_to(top):
                    if (folder / name).is_file():
                        yield folder / name
                    folder = folder.parent

    def _lines(self, path: str) -> list[str]:
        try:
            return (self.root / path).read_text().splitlines()
        except OSError:
            return []


def existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())


def free_bytes(path: Path) -> int:
    """Free bytes on the file system of a path, which need not exist."""
    return shutil.disk_usage(existing(path)).free
