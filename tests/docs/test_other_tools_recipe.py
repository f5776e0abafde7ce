"""The recipe of docs/usage.md that takes other tools' maps to a network elsewhere, line by line.

Its commands are read from the page. The files in between are real: numpy dictionaries as irn and
CLIP-ES write them, the zip that CVAT is given and a zip as it gives back, an ONNX file that
onnxruntime runs where neither torch nor ``wsss`` can be imported.
"""

import io
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc, classes_of, draw_voc
from pages import ROOT, text
from PIL import Image

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.stages.segment.network_file import read_network

HEADING = "## From another tool's maps to a network that runs elsewhere\n"
SHORT = "--model tiny --iterations 20 --batch-size 2 --crop 32 --amp off --scales 1 --no-flip"
_WITHOUT_US = """
import runpy, sys
for name in ("torch", "wsss_cli"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0])
"""


@pytest.mark.parametrize("tool", ["clip-es", pytest.param("irn", marks=pytest.mark.slow)])
def test_every_line_of_the_recipe_does_its_step(
    tool: str, wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    voc = draw_voc(tmp_path)
    _write_maps(tmp_path / "clip_es_maps", voc, tool)
    shutil.copy(voc.image(voc.val_ids[0]), "photograph.jpg")
    steps = []
    for line in _recipe():
        program, *words = shlex.split(line)
        step = words[0] if program == "wsss" else "unpack" if "zipfile" in words else "run"
        if step == "unpack":
            _correct(voc, Path("to_cvat.zip"), Path("from_cvat.zip"), voc.train_ids[1:3])
            subprocess.run([sys.executable, *words], check=True)
        elif step == "run":
            command = [sys.executable, "-c", _WITHOUT_US, ROOT / words[0], *words[1:]]
            subprocess.run(command, check=True)
        else:
            outcome = wsss(*words, *(SHORT.split() if step == "segment" else []))
            assert outcome.code == 0, f"{line}\n{outcome.err}"
            if step == "import":
                assert tool in outcome.out
            if step == "evaluate":
                assert "mIoU" in outcome.out
            if step == "segment":
                assert "2 corrected" in outcome.err
        steps.append(step)
    assert steps == [
        *("import", "evaluate", "proxy", "evaluate", "export", "unpack"),
        *("data", "segment", "export-network", "run"),
    ]
    for image_id in voc.train_ids[1:3]:
        corrected = read_label_map(Path("corrected") / f"{image_id}.png")
        assert np.array_equal(corrected, read_label_map(voc.mask(image_id)))
    network, *_ = read_network(Path("runs/hub/segment/checkpoint.pt"))
    image = torch.from_numpy(np.array(Image.open("photograph.jpg"))).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        expected = network.eval()(image).argmax(dim=1)[0].numpy()
    assert (read_label_map(Path("labels.png")) == expected).mean() > 0.999


def _recipe() -> list[str]:
    """The command lines of the section."""
    section = text("docs/usage.md").partition(HEADING)[2].partition("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    return str(block).splitlines()


def _write_maps(folder: Path, voc: TinyVoc, tool: str) -> None:
    """Maps that lie around the true objects, as one of the tools writes them."""
    folder.mkdir()
    for index, image_id in enumerate(voc.train_ids):
        labels = read_label_map(voc.mask(image_id))
        columns = classes_of(index)
        rng = np.random.default_rng(index)
        noise = rng.uniform(0, 0.3, (len(columns), *labels.shape))
        maps = np.stack([labels == column + 1 for column in columns]) * 0.7 + noise
        content: dict[str, object]
        if tool == "irn":  # step/make_cam.py: the keys and the small maps are tensors
            small = torch.from_numpy(maps[:, ::4, ::4].copy())
            content = {"keys": torch.tensor(columns), "cam": small, "high_res": maps}
        else:
            high = maps.astype(np.float16)
            content = {"keys": np.array(columns), "attn_highres": high}
        np.save(folder / f"{image_id}.npy", content)


def _correct(voc: TinyVoc, given: Path, corrected: Path, image_ids: list[str]) -> None:
    """What a person makes of it in CVAT: some true masks, in the colours that CVAT was told."""
    with zipfile.ZipFile(given) as archive, zipfile.ZipFile(corrected, "w") as out:
        described = archive.read("labelmap.txt")
        names_and_colours = [line.split(":")[:2] for line in described.decode().splitlines()[1:]]
        colours = [[int(part) for part in colour.split(",")] for _, colour in names_and_colours]
        numbers = [*range(len(colours) - 1), 255]  # the last label is "ignore"
        assert names_and_colours[-1][0] == "ignore"
        out.writestr("labelmap.txt", described)
        out.writestr("ImageSets/Segmentation/default.txt", "\n".join(image_ids) + "\n")
        for image_id in image_ids:
            label_map = read_label_map(voc.mask(image_id))
            painted = np.zeros((*label_map.shape, 3), np.uint8)
            for number, colour in zip(numbers, colours, strict=True):
                painted[label_map == number] = colour
            content = io.BytesIO()
            Image.fromarray(painted).save(content, "png")
            for kind in ("Class", "Object"):
                out.writestr(f"Segmentation{kind}/{image_id}.png", content.getvalue())
