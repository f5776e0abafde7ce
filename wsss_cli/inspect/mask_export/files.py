"""Files that several formats have: photographs, names in YAML, JSON on one line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.errors import WsssError
from wsss_cli.inspect.mask_export.label_maps import LabelMaps


def copy_photograph(maps: LabelMaps, image_id: str, folder: Path) -> None:
    """Copy the photograph of an image under the image's id.

    Raises:
        WsssError: It cannot be read, or the disk is full.
    """
    path = maps.photograph_paths[image_id]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WsssError(f"{path} cannot be read ({error.strerror}); check the data set") from error
    write_bytes(folder / maps.photograph_name(image_id), content)


def names_as_yaml(names: Mapping[int, str]) -> str:
    """A block of YAML, indented by two, with names by number."""
    lines = (f"  {n}: {json.dumps(name, ensure_ascii=False)}\n" for n, name in names.items())
    return "".join(lines)


def write_compact_json(path: Path, content: Any) -> None:  # noqa: ANN401 - JSON
    """Write JSON on one line: lists of thousands of numbers take a tenth of the room.

    Raises:
        WsssError: The disk is full.
    """
    write_bytes(path, json.dumps(content, separators=(",", ":")).encode())
