"""Photographs that show only some of a network's classes."""

import shutil
from pathlib import Path

from conftest import CLASSES, Command, TinyVoc, classes_of


def test_a_network_of_more_classes_is_asked_for_a_list_of_them(
    voc: TinyVoc, wsss: Command, lively_checkpoint: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    rows = ["image,labels"]
    for index, image_id in enumerate(voc.train_ids):
        names = [CLASSES[column] for column in classes_of(index)]
        if CLASSES[0] not in names:
            shutil.copy(voc.image(image_id), photos)
            rows.append(f"{image_id}.jpg,{' '.join(names)}")
    (photos / "labels.csv").write_text("\n".join(rows) + "\n")
    asked = ["attend", "--checkpoint", lively_checkpoint, "--size", 64, "--data", photos]
    refused = wsss(*asked, "--run", tmp_path / "run")
    assert refused.code == 1
    assert "classes.txt" in refused.err
    assert CLASSES[0] in refused.err
    (photos / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    done = wsss(*asked, "--run", tmp_path / "run")
    assert done.code == 0, done.err
