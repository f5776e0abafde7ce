"""Names for results: equal fingerprints mean equal settings and equal inputs."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.plain_file import NOT_PLAIN, is_plain
from wsss_cli.errors import WsssError


def fingerprint(content: Any) -> str:  # noqa: ANN401 - any JSON value
    """SHA-256, in hexadecimal, of the canonical JSON of ``content``."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest()


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        OSError: It cannot be opened.
        WsssError: It is not a plain file.
    """
    if not is_plain(path):
        raise WsssError(f"{path} cannot be read: {NOT_PLAIN}")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Fingerprint of many small files by name and content.

    Size is not enough: two label maps with exchanged labels often have the same one.
    """
    return fingerprint([[path.name, file_fingerprint(path)] for path in paths])
