"""Pictures with an EXIF orientation: every reader sees the same pixels, misfits are explained."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import HEIGHT, WIDTH, Command, TinyVoc
from PIL import ExifTags, Image, ImageOps

from wsss_cli.data.images import check_images, read_header, read_image, read_saliency
from wsss_cli.data.map_sizes import if_turned

ORIENTATIONS = range(1, 9)
# Of these Pillow decodes TIFF as viewers show it, the others as they are stored.
ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif"}


def _tag(path: Path, orientation: int) -> None:
    """Give a JPEG an orientation, its pixels left as they are to the last bit."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    segment = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    content = path.read_bytes()
    head = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big")
    path.write_bytes(content[:2] + head + segment + content[2:])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ENDINGS)
def test_readers_agree(tmp_path: Path, kind: str, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 12, 3)).astype(np.uint8)
    picture = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"a.{ENDINGS[kind]}"
    options = {"lossless": True} if kind == "WEBP" else {}
    picture.save(path, kind, exif=exif, **options)
    picture.save(tmp_path / "plain", kind, **options)
    expected = Image.fromarray(read_image(tmp_path / "plain"))
    if kind == "TIFF":
        expected.getexif()[ExifTags.Base.Orientation] = orientation
        expected = ImageOps.exif_transpose(expected)
    found = read_image(path)
    assert np.array_equal(found, np.array(expected))
    assert check_images([path]) == [found.shape[:2]]
    assert read_saliency(path).shape == found.shape[:2]
    assert read_header(path).turned == (kind != "TIFF" and orientation > 1)


def test_sides_that_are_not_exchanged_have_another_cause() -> None:
    assert "EXIF" in if_turned((12, 9), (9, 12))
    assert not if_turned((9, 9), (9, 9))
    assert not if_turned((9, 12), (9, 12))
    assert not if_turned((24, 18), (9, 12))


def _numbers(wsss: Command, voc: TinyVoc, trained: Path, run: Path) -> dict[str, object]:
    """What the chain makes of a tree, from its pictures to its scores."""
    shutil.copytree(trained / "train", run / "train")
    where = ["--run", run, "--data", voc.root]
    for command in (
        ["attend", *where, "--size", 32, "--amp", "off", "--split", "train"],
        ["saliency", *where, "--model", "unsupervised"],
        ["proxy", *where],
    ):
        outcome = wsss(*command)
        assert outcome.code == 0, outcome.err
    for what in ("attention", "proxy"):
        outcome = wsss("evaluate", *where, "--what", what, "--split", "train", "--json")
        assert outcome.code == 0, outcome.err
    files = sorted((*run.rglob("labels/*.png"), *run.rglob("maps/*.png"), *run.rglob("*.h5")))
    assert len(files) > len(voc.train_ids)
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def test_stages_use_pixels_as_they_are_stored(
    wsss: Command, own_voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    """Tags of all orientations change no map, no label and no score."""
    plain = _numbers(wsss, own_voc, trained, tmp_path / "plain")
    for place, image_id in enumerate(own_voc.train_ids):
        _tag(own_voc.image(image_id), ORIENTATIONS[place % 8])
        with Image.open(own_voc.image(image_id)) as image:
            assert image.getexif()[ExifTags.Base.Orientation] == ORIENTATIONS[place % 8]
    assert _numbers(wsss, own_voc, trained, tmp_path / "tagged") == plain


@pytest.mark.parametrize("what", ["mask", "saliency"])
def test_map_on_its_side_is_explained(
    wsss: Command, own_voc: TinyVoc, trained: Path, tmp_path: Path, what: str
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    image_id = own_voc.train_ids[2]
    paths = {
        "mask": own_voc.mask(image_id),
        "saliency": own_voc.saliency / f"{image_id}.png",
    }
    with Image.open(paths[what]) as drawn:
        drawn.transpose(Image.Transpose.ROTATE_90).save(paths[what])
    where = ["--run", run, "--data", own_voc.root]
    commands = {
        "mask": (
            ["evaluate", *where, "--what", "attention", "--split", "train"],
            ["segment", *where, "--supervision", "full", "--model", "tiny", "--split", "val"],
        ),
        "saliency": (["proxy", *where, "--saliency", own_voc.saliency],),
    }
    for command in commands[what]:
        outcome = wsss(*command)
        assert outcome.code == 1, outcome.err
        assert "EXIF orientation" in outcome.err
        assert image_id in outcome.err
        assert str(HEIGHT) in outcome.err
        assert str(WIDTH) in outcome.err
