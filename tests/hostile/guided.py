"""Coverage-guided fuzzing of one reader; needs atheris, which the tests do not.

    python tests/hostile/guided.py coco -max_total_time=60

Arguments after the reader are libFuzzer's. A case that raises anything but a refusal ends the run
and is written to the folder where it runs; it then belongs into the reader's test file.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
with atheris.instrument_imports(
    include=["wsss_cli.data", "wsss_cli.artifacts", "tarfile", "csv", "tomllib"]
):
    import test_hostile_annotations as annotations
    import test_hostile_archives as archives
    import test_hostile_coco as coco
    import test_hostile_pictures as pictures
    import test_hostile_soft_maps as soft_maps
    import test_hostile_tables as tables
    import test_hostile_toml as toml

    from wsss_cli.artifacts.soft_map_folder import SoftMapFolder
    from wsss_cli.artifacts.stage_directory import read_manifest
    from wsss_cli.artifacts.submission import read_submission
    from wsss_cli.data.coco import read_rows as read_coco
    from wsss_cli.data.csv_labels import read_rows
    from wsss_cli.data.layouts import find_data_set
    from wsss_cli.data.voc import object_names
    from wsss_cli.errors import WsssError

# By name: a file's name, how it is read, and good ones to begin with.
READERS: dict[str, tuple[str, Callable[[Path], object], list[bytes]]] = {
    "annotations": ("a.xml", object_names, [annotations.GOOD, annotations.BOMB]),
    "archives": ("a.tar.gz", lambda path: list(read_submission(path)), [archives.GOOD]),
    "coco": ("a.json", read_coco, [json.dumps(coco.GOOD).encode()]),
    "csv": ("a.csv", read_rows, [tables.GOOD, tables.WIDE]),
    "manifests": ("manifest.json", lambda path: read_manifest(path.parent), [b'{"stage": "x"}']),
    "pictures": ("a.jpg", pictures.read_image, list(pictures.GOOD.values())),
    "soft_maps": (
        "a.npy",
        lambda path: SoftMapFolder(path.parent, 4, logits=False).read("a"),
        [soft_maps._saved(soft_maps.MAPS)],
    ),
    "toml": ("a.toml", find_data_set, [toml.PARTS]),
}


def main() -> None:
    name, *options = sys.argv[1:]
    file_name, read, good = READERS[name]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as corpus:
        path = Path(folder) / file_name
        for number, content in enumerate(good):
            (Path(corpus) / str(number)).write_bytes(content)

        def one(content: bytes) -> None:
            path.write_bytes(content)
            with suppress(WsssError):
                read(path)

        atheris.Setup([sys.argv[0], corpus, *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
