"""Pipes, devices, folders and links to nowhere under the names of pictures: a sentence, at once."""

import faulthandler
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Command, TinyVoc, train_arguments
from endurance import endures

from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.artifacts.label_png import look, read_label_map
from wsss_cli.data.images import check_images, read_header, read_image, read_saliency
from wsss_cli.data.voc import object_names

SECONDS = 60


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty device": lambda path: path.symlink_to("/dev/null"),
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
    "link to itself": _loop,
}
READERS: dict[str, Callable[[Path], object]] = {
    "photograph": read_image,
    "header": read_header,
    "check": lambda path: check_images([path]),
    "saliency": read_saliency,
    "label map": read_label_map,
    "look": look,
    "annotation": object_names,
}


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """A reader that waits for a pipe ends the tests instead of holding them."""
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("reader", READERS)
def test_readers_refuse(tmp_path: Path, kind: str, reader: str) -> None:
    path = tmp_path / "a.jpg"
    SPECIAL[kind](path)
    assert endures("special files", lambda: READERS[reader](path) and 1) is None


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless device"])
def test_content_of_special_files_is_not_read(tmp_path: Path, kind: str) -> None:
    SPECIAL[kind](tmp_path / "a.png")
    assert endures("special files", lambda: file_fingerprint(tmp_path / "a.png")) is None


@pytest.mark.parametrize("kind", SPECIAL)
def test_commands_say_a_sentence(
    wsss: Command, own_voc: TinyVoc, trained: Path, tmp_path: Path, kind: str
) -> None:
    voc, image_id, scored = own_voc, own_voc.train_ids[3], own_voc.val_ids[1]
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    predictions = Path(shutil.copytree(voc.root / "SegmentationClass", tmp_path / "found"))
    saliency, where = ["--saliency", voc.saliency], ["--run", run, "--data", voc.root]
    evaluate = ["evaluate", *where, "--pred", predictions, "--split", "val"]
    baselines = ["evaluate", *where, "--pred", predictions, "--split", "train", "--baselines"]
    uses = (
        (
            voc.image(image_id),
            train_arguments(voc, tmp_path / "new"),
            ["attend", "--run", run, "--data", voc.root, "--size", 32, "--overwrite"],
            [
                "saliency",
                "--run",
                tmp_path / "new",
                "--data",
                voc.root,
                "--model",
                "unsupervised",
            ],
            ["data", "check", voc.root],
        ),
        (
            voc.saliency / f"{image_id}.png",
            ["proxy", *where, *saliency],
            [*baselines, *saliency],
        ),
        (predictions / f"{scored}.png", evaluate),
    )
    for path, *commands in uses:
        content = path.read_bytes()
        path.unlink()
        SPECIAL[kind](path)
        for command in commands:
            outcome = wsss(*command)
            told = outcome.err + outcome.out
            assert outcome.code == 1, (path, command, told)
            assert "--debug" not in told, (path, command, told)
            assert path.stem in told, (path, command, told)
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(content)
    assert wsss(*evaluate).code == 0


@pytest.mark.parametrize("kind", SPECIAL)
def test_masks_count_as_missing_or_broken(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path, kind: str
) -> None:
    predictions = Path(shutil.copytree(own_voc.root / "SegmentationClass", tmp_path / "found"))
    mask = own_voc.mask(own_voc.val_ids[1])
    mask.unlink()
    SPECIAL[kind](mask)
    scored = wsss("evaluate", "--data", own_voc.root, "--pred", predictions, "--split", "val")
    assert scored.code == 0, scored.err
    assert "1 of 4 images have no mask" in scored.err
    checked = wsss("data", "check", own_voc.root)
    assert checked.code == int("link" not in kind), checked.err
    assert "3 of 4 of val" in checked.out or mask.stem in checked.out
