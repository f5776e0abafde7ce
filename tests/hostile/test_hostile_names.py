"""Names of images and classes become names of files; none may leave the run."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import Command, TinyVoc, annotation_xml
from endurance import ODD_NAMES, snapshot, tried

from wsss_cli.errors import WsssError

EVIL = "a/../../../../../evil"


def _count(code: int) -> None:
    tried["names in commands", "refused" if code else "read"] += 1


def test_class_names_do_not_lead_heatmaps_out_of_the_run(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    names = (EVIL, "disc", "\\..\\x")
    (own_voc.root / "classes.txt").write_text("".join(f"{name}\n" for name in names))
    for index, image_id in enumerate(own_voc.train_ids):
        own_voc.annotation(image_id).write_text(annotation_xml([names[index % 3]]))
    run = tmp_path / "runs" / "deep" / "run"
    before = snapshot(tmp_path)
    arguments = ["--backbone", "tiny", "--iterations", 1, "--batch-size", 2, "--crop", 32]
    trained = wsss("train", "--data", own_voc.root, "--run", run, *arguments)
    _count(trained.code)
    if trained.code == 0:
        outcome = wsss("attend", "--run", run, "--size", 32, "--heatmaps")
        _count(outcome.code)
        assert outcome.code == 0, outcome.err
    after = snapshot(tmp_path)
    new = {name for name in after if name not in before}
    assert all(Path(name).parts[0] == "runs" for name in new)
    assert all(
        Path(name).parts[:3] == ("runs", "deep", "run")[: len(Path(name).parts)] for name in new
    )


@pytest.mark.parametrize(
    "name", [n for n in ODD_NAMES if n not in ("", ".", "a\0b", "/etc/passwd", "\ud800")]
)
def test_image_ids_of_foreign_attention_do_not_lead_out(
    wsss: Command, tmp_path: Path, name: str
) -> None:
    path, run = tmp_path / "given" / "a.h5", tmp_path / "runs" / "deep" / "run"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        group = file.create_group(name)
        group["maps"] = np.full((1, 4, 5), 0.5, np.float16)
        group["class_ids"] = np.array([1], np.uint8)
    outcome = wsss("proxy", "--attention", path, "--rule", "threshold", "--run", run)
    _count(outcome.code)
    assert "--debug" not in outcome.err, outcome.err
    assert outcome.code in (0, 1)
    written = {p.relative_to(tmp_path) for p in tmp_path.rglob("*.png")}
    assert all(
        p.parts[:5] == ("runs", "deep", "run", "proxy", "labels") and len(p.parts) == 6
        for p in written
    )


def test_names_in_messages_move_no_terminal(wsss: Command, tmp_path: Path) -> None:
    """A file's name is shown with its escapes spelt out, on the one line of the error."""
    outcome = wsss("check", tmp_path / "\x1b[2Ja\nb.tar.gz", "--data", tmp_path)
    _count(outcome.code)
    assert outcome.err.count("\n") == 1
    assert "\x1b" not in outcome.err
    with pytest.raises(WsssError, match=r"^a\\nb\\x1b\[c\\u202ed$"):
        raise WsssError("a\nb\x1b[c\u202ed")
