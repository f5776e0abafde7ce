"""Which label maps `wsss suggest` names first, and what it refuses."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, TinyVoc
from PIL import Image

from wsss_cli.artifacts.attention_file import AttentionFile, write_attention_file
from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.metrics.agreement import differences_by_class


@pytest.fixture
def labelled(chained: Path, voc: TinyVoc, tmp_path: Path) -> tuple[Path, list[str]]:
    """A run whose label maps are exactly where its attention is, and its images."""
    run = Path(shutil.copytree(chained, tmp_path / "run"))
    file = tmp_path / "attention.h5"
    with AttentionFile(run / "attend" / "attention.h5") as before:
        names = before.class_names
        assert names is not None
        with write_attention_file(file, names, "given") as write:
            for image_id in before.image_ids:
                attention = before.read(image_id)
                mask = read_label_map(voc.mask(image_id))
                maps = np.stack([mask == c for c in attention.class_ids]).astype(np.float16)
                write(image_id, type(attention)(maps, attention.class_ids, attention.size))
                labels = np.where(np.isin(mask, attention.class_ids), mask, 0).astype(np.uint8)
                write_label_map(run / "proxy" / "labels" / f"{image_id}.png", labels)
        return run, list(before.image_ids)


def _asked(run: Path, *options: object) -> list[object]:
    return ["suggest", "--run", run, "--attention", run.parent / "attention.h5", *options]


def _spoil(path: Path) -> None:
    """Give everything to the background."""
    write_label_map(path, np.zeros_like(np.asarray(Image.open(path))))


def test_wrong_label_maps_come_first(
    wsss: Command, labelled: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run, ids = labelled
    spoilt = [ids[7], ids[3]]
    for image_id in spoilt:
        _spoil(run / "proxy" / "labels" / f"{image_id}.png")
    out = tmp_path / "ids.txt"
    done = wsss(*_asked(run, "--count", 2, "--out", out, "--json"))
    assert done.code == 0, done.err
    assert {each["image"] for each in done.values["suggested"]} == set(spoilt)
    assert set(out.read_text().split()) == set(spoilt)
    assert wsss(*_asked(run, "--count", 2, "-o", out)).code == 2
    again = wsss(*_asked(run, "--count", 2, "-o", out, "--overwrite"))
    assert again.code == 0
    assert all(image_id in again.out for image_id in spoilt)
    # What has been corrected is not asked for again.
    corrected = tmp_path / "corrected"
    corrected.mkdir()
    shutil.copy(run / "proxy" / "labels" / f"{spoilt[0]}.png", corrected)
    rest = wsss(*_asked(run, "--count", 1, "--corrected", corrected, "--json")).values
    assert [each["image"] for each in rest["suggested"]] == spoilt[1:]
    assert rest["corrected"] == 1


def test_what_it_cannot_work_with_is_named(
    wsss: Command, labelled: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run, ids = labelled
    more = wsss(*_asked(run, "--count", len(ids) + 1, "--json"))
    assert len(more.values["suggested"]) == len(ids)
    assert str(len(ids)) in more.err
    refused = wsss(*_asked(run, "--corrected", run / "proxy" / "labels"))
    assert refused.code == 2
    assert "--corrected" in refused.err
    lost = run / "proxy" / "labels" / f"{ids[0]}.png"
    lost.unlink()
    refused = wsss(*_asked(run, "--proxy", lost.parent, "--count", 1))
    assert refused.code == 1
    assert ids[0] in refused.err
    Image.new("P", (3, 3)).save(lost)
    refused = wsss(*_asked(run, "--proxy", lost.parent, "--count", 1))
    assert refused.code == 1
    assert str(lost) in refused.err
    refused = wsss("suggest", "--run", tmp_path / "none")
    assert refused.code == 2
    assert "wsss proxy" in refused.err


def test_differences_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((2, 5, 7)).astype(np.float32)
    label_map = np.array([0, 3, 7, 9, 255], np.uint8)[rng.integers(0, 5, (5, 7))]
    expected = {3: 0.0, 7: 0.0, 9: 0.0}
    known = [(y, x) for y, x in np.ndindex(5, 7) if label_map[y, x] != 255]
    for y, x in known:
        for attention, class_id in ((maps[0, y, x], 7), (maps[1, y, x], 3), (0, 9)):
            expected[class_id] += abs(attention - (label_map[y, x] == class_id)) / len(known)
    found = differences_by_class(maps, np.array([7, 3]), label_map)
    assert found == pytest.approx(expected)
    nothing = np.full((5, 7), 255, np.uint8)
    assert differences_by_class(maps, np.array([7, 3]), nothing) == {7: 0, 3: 0}
