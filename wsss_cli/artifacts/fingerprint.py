"""Names for results: equal fingerprints mean equal settings and equal inputs."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def fingerprint(content: Any) -> str:  # noqa: ANN401 - any JSON value
    """SHA-256, in hexadecimal, of the canonical JSON of ``content``."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listing_fingerprint(paths: Iterable[Path]) -> str:
    """Fingerprint of many files by name and size: quick enough to take before every command."""
    return fingerprint([[path.name, path.stat().st_size] for path in paths])
