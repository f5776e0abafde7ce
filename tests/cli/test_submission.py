"""Archives for VOC's evaluation server: what `segment` packs, and what `check` refuses."""

import gzip
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, TinyVoc
from PIL import Image

from wsss_cli.artifacts.submission import write_submission
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.errors import WsssError
from wsss_cli.stages import segment
from wsss_cli.tracking import Silent

FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"
HEIGHT, WIDTH = 48, 64
Entries = dict[str, bytes]


def _png(values: object = 0, size: tuple[int, int] = (HEIGHT, WIDTH), mode: str = "L") -> bytes:
    image = Image.fromarray(np.broadcast_to(np.array(values, np.uint8), size).copy())
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, format="PNG")
    return buffer.getvalue()


def _pack(path: Path, entries: list[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        if kind != tarfile.REGTYPE:
            entry = tarfile.TarInfo(f"{FOLDER}/odd.png")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    return path


@pytest.fixture
def valid(voc: TinyVoc) -> Entries:
    """Label maps of the val list, grey and palette."""
    modes = ["L", "P", "L", "L"]
    return {
        f"{FOLDER}/{image_id}.png": _png(index, mode=mode)
        for index, (image_id, mode) in enumerate(zip(voc.val_ids, modes, strict=True))
    }


@pytest.fixture(scope="module")
def test_tree(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs and a test list; no annotation and no mask, as VOC's own test images."""
    root = tmp_path_factory.mktemp("test_only") / "VOC2012"
    shutil.copytree(voc.root, root, ignore=shutil.ignore_patterns("Annotations", "Segm*Class"))
    lists = root / "ImageSets" / "Segmentation"
    (lists / "val.txt").rename(lists / "test.txt")
    return root


@pytest.fixture(scope="module")
def checkpoint(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("segmented")
    config = SegmentConfig(
        run=run,
        data=voc.root,
        supervision="full",
        model="tiny",
        iterations=1,
        batch_size=2,
        crop=32,
        scales=(1.0,),
        amp="off",
    )
    segment.run(config, track=Silent())
    return run / "segment" / "checkpoint.pt"


def test_test_images_are_predicted_packed_and_found_valid(
    wsss: Command, voc: TinyVoc, test_tree: Path, checkpoint: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "far" / "test.tar.gz"
    asked = ["segment", "--data", test_tree, "--checkpoint", checkpoint, "--split", "test"]
    asked += ["--scales", 1, "--run", tmp_path / "run", "--amp", "off", "--submission", packed]
    outcome = wsss(*asked, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["submission"] == str(packed)
    with tarfile.open(packed) as archive:
        assert archive.getnames() == [f"{FOLDER}/{image_id}.png" for image_id in voc.val_ids]
        for member in archive:
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
            written = tmp_path / "run" / "segment" / "predictions" / Path(member.name).name
            content = archive.extractfile(member)
            assert content is not None and content.read() == written.read_bytes()
            with Image.open(written) as image:
                assert image.mode == "P"
    found = wsss("check", packed, "--data", test_tree, "--json")
    assert found.code == 0, found.err
    assert found.values["valid"] is True
    assert found.values["images"] == 4
    assert "valid, 4 label maps of test" in wsss("check", packed, "--run", tmp_path / "run").out
    again = tmp_path / "again.tar.gz"  # of a finished run, without the network
    assert wsss(*asked[:-1], again).code == 0
    assert again.read_bytes() == packed.read_bytes()


def test_equal_label_maps_have_equal_bytes_at_any_time(tmp_path: Path) -> None:
    archives = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(_png(1))
        write_submission(tmp_path / f"{name}.tar.gz", {"a": tmp_path / name / "a.png"})
        archives.append((tmp_path / f"{name}.tar.gz").read_bytes())
    assert archives[0] == archives[1]
    assert archives[0][4:8] == b"\0\0\0\0"  # the time in the header of gzip
    assert archives[0][3] == 0  # and no file name


def test_archive_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(WsssError):
        write_submission(tmp_path / "a.tar.gz", {"a": tmp_path / "missing.png"})
    assert list(tmp_path.iterdir()) == []


def test_submission_is_named_as_what_it_is(wsss: Command, tmp_path: Path) -> None:
    outcome = wsss("segment", "--submission", tmp_path / "a.zip")
    assert outcome.code == 2
    assert all(fact in outcome.err for fact in ("--submission", ".tar.gz"))


@pytest.mark.parametrize("place", ["folder.tar.gz", "file/a.tar.gz", "file/far/a.tar.gz"])
def test_submission_without_a_place_is_refused_before_the_training(
    wsss: Command, voc: TinyVoc, tmp_path: Path, place: str
) -> None:
    (tmp_path / "folder.tar.gz").mkdir()
    (tmp_path / "file").write_bytes(b"")
    run = tmp_path / "run"
    outcome = wsss(
        *(
            "segment",
            "--run",
            run,
            "--data",
            voc.root,
            "--supervision",
            "full",
            "--model",
            "tiny",
        ),
        *("--iterations", 1, "--crop", 32, "--batch-size", 2, "--scales", 1),
        *("--submission", tmp_path / place),
    )
    assert outcome.code == 2
    assert f"--submission {tmp_path / place}" in outcome.err
    assert not run.exists()


def test_archive_of_another_tool_is_valid(
    wsss: Command, voc: TinyVoc, valid: Entries, tmp_path: Path
) -> None:
    """Names that begin with ./ and in any order, as tar packs them."""
    entries = [(f"./{name}", content) for name, content in reversed(valid.items())]
    path = _pack(tmp_path / "a.tar.gz", entries)
    outcome = wsss("check", path, "--data", voc.root, "--split", "val")
    assert outcome.code == 0, outcome.out


def _with(name: str, content: bytes) -> Callable[[list[tuple[str, bytes]]], None]:
    return lambda entries: entries.append((name, content))


def _instead(content: bytes) -> Callable[[list[tuple[str, bytes]]], None]:
    def replace(entries: list[tuple[str, bytes]]) -> None:
        entries[1] = (entries[1][0], content)

    return replace


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda entries: entries.pop(1), "on the list but have no label map: 2024_000013"),
        (lambda entries: entries.append(entries[1]), "more than once: 2024_000013"),
        (_with(f"{FOLDER}/2024_000001.png", _png()), f"not on the list: {FOLDER}/2024_000001.png"),
        (_with("results/readme.txt", b"x"), f"elsewhere than {FOLDER}/ID.png: results/readme.txt"),
        (_with(f"{FOLDER}/a/2024_000001.png", _png()), "elsewhere than"),
        (_with("../2024_000012.png", _png()), "out of the archive; pack with relative names: ../2"),
        (_with("/etc/passwd", b"x"), "lead out of the archive; pack with relative names: /etc"),
        (_instead(_png(4)), "values above 3: 2024_000013"),
        (_instead(_png(255)), "with 255, which is no prediction; decide those pixels: 2024_000013"),
        (_instead(_png(size=(WIDTH, HEIGHT))), "another size than their photograph: 2024_000013"),
        (_instead(_png(mode="RGB")), "neither palette nor 8-bit grey PNG: 2024_000013"),
        (_instead(_png()[:-40]), "not readable PNG: 2024_000013"),
        (_instead(b"x"), "not readable PNG: 2024_000013"),
    ],
)
def test_every_kind_of_problem_is_named_with_its_offenders(
    wsss: Command,
    voc: TinyVoc,
    valid: Entries,
    tmp_path: Path,
    spoil: Callable[[list[tuple[str, bytes]]], None],
    problem: str,
) -> None:
    entries = list(valid.items())
    spoil(entries)
    path = _pack(tmp_path / "a.tar.gz", entries)
    asked = ["check", path, "--data", voc.root, "--split", "val"]
    outcome = wsss(*asked)
    assert outcome.code == 1
    assert problem in outcome.out
    assert outcome.out.count("\n") == 2  # this one and no other
    found = wsss(*asked, "--json")
    assert found.code == 1
    assert found.values["valid"] is False
    assert len(found.values["problems"]) == 1


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_pipes_are_no_label_maps(
    wsss: Command, voc: TinyVoc, valid: Entries, tmp_path: Path, kind: bytes
) -> None:
    path = _pack(tmp_path / "a.tar.gz", list(valid.items()), kind)
    outcome = wsss("check", path, "--data", voc.root, "--split", "val")
    assert outcome.code == 1
    assert f"{FOLDER}/odd.png" in (outcome.out)


def test_offenders_are_named_up_to_ten(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    path = _pack(tmp_path / "a.tar.gz", [])
    outcome = wsss("check", path, "--data", voc.root, "--split", "train")
    assert "2024_000009" in outcome.out
    assert "2024_000010" not in outcome.out


@pytest.mark.parametrize(
    "content", [b"not gzip", gzip.compress(b"no archive in it" * 99, mtime=0), None, "cut off"]
)
def test_file_that_is_no_archive_is_refused_in_a_sentence(
    wsss: Command,
    voc: TinyVoc,
    valid: Entries,
    tmp_path: Path,
    content: bytes | str | None,
) -> None:
    path = tmp_path / "a.tar.gz"
    if content == "cut off":
        whole = _pack(path, list(valid.items())).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    outcome = wsss("check", path, "--data", voc.root, "--split", "val")
    assert outcome.code == (2 if content is None else 1)
    assert outcome.out == ""
    assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1
    assert str(path) in outcome.err
