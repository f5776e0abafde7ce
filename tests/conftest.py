"""A tiny VOC tree drawn here, and the installed command in this process or in a fresh one."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

# The suite holds results to the byte, as a CPU gives them. A card is for the tests that want one.
ON_CARD = "cuda"

CLASSES = ("square", "disc", "cross")
COLOURS = ((220, 40, 40), (40, 200, 60), (50, 70, 230))
HEIGHT, WIDTH = 48, 64
TRAIN_IMAGES, VAL_IMAGES = 12, 4


# Rooms whose tests are pure functions and files, and fixtures that train or start a process.
FAST_FOLDERS = {"artifacts", "benchmarks", "data", "methods", "metrics", "ops", "public"}
COSTLY_FIXTURES = {"trained", "chained", "lively_checkpoint", "fresh"}


def pytest_configure(config: pytest.Config) -> None:
    """Hide cards from all tests but those that are about them; compute in one thread.

    Tests run in several processes, and networks as small as theirs gain nothing by threads. No test
    cuts the power, so none waits until its bytes are on the disk, some milliseconds a file.
    """
    if config.option.markexpr != ON_CARD:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.fsync = lambda descriptor: None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes next to no time."""
    for item in items:
        in_folder = item.path.parent.name in FAST_FOLDERS
        costly = COSTLY_FIXTURES & set(getattr(item, "fixturenames", ()))
        marked = any(item.get_closest_marker(name) for name in ("slow", "real", "cuda"))
        if in_folder and not costly and not marked:
            item.add_marker("fast")


@dataclass(frozen=True)
class TinyVoc:
    """A drawn data set: the VOC tree, its saliency maps and what is in it."""

    root: Path
    saliency: Path
    train_ids: list[str]
    val_ids: list[str]

    def image(self, image_id: str) -> Path:
        return self.root / "JPEGImages" / f"{image_id}.jpg"

    def annotation(self, image_id: str) -> Path:
        return self.root / "Annotations" / f"{image_id}.xml"

    def mask(self, image_id: str) -> Path:
        return self.root / "SegmentationClass" / f"{image_id}.png"

    def split(self, name: str) -> Path:
        return self.root / "ImageSets" / "Segmentation" / f"{name}.txt"


def classes_of(index: int) -> list[int]:
    """Class columns of the image number ``index``: one, and every fourth image a second one."""
    return sorted({index % 3, (index + 1) % 3} if index % 4 == 0 else {index % 3})


def annotation_xml(names: list[str]) -> str:
    objects = "".join(f"<object><name>{name}</name></object>" for name in names)
    return f"<annotation><filename>x.jpg</filename>{objects}</annotation>"


def _shape(column: int, top: int, left: int) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    y, x = y - top, x - left
    if column == 0:
        return (abs(y) <= 8) & (abs(x) <= 8)
    if column == 1:
        return y**2 + x**2 <= 81
    return ((abs(y) <= 3) & (abs(x) <= 10)) | ((abs(x) <= 3) & (abs(y) <= 10))


def draw_voc(base: Path, *, train: int = TRAIN_IMAGES, val: int = VAL_IMAGES) -> TinyVoc:
    """Draw coloured shapes on noise, in the layout of VOC, with saliency maps beside the tree."""
    root, saliency = base / "VOC2012", base / "saliency"
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    saliency.mkdir()
    palette = np.random.default_rng(7).integers(0, 256, 768).tolist()
    ids = [f"2024_{index:06d}" for index in range(train + val)]
    for index, image_id in enumerate(ids):
        rng = np.random.default_rng(index)
        pixels = rng.integers(90, 150, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        for place, column in enumerate(classes_of(index)):
            where = _shape(column, 14 + int(rng.integers(18)), 14 + 34 * place)
            pixels[where] = COLOURS[column]
            labels[where] = column + 1
        grey = np.where(labels > 0, 230, 20).astype(np.uint8)
        labels[0, :] = 255
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{image_id}.jpg", quality=95)
        mask = Image.fromarray(labels).convert("L")
        mask.putpalette(palette)
        mask.save(root / "SegmentationClass" / f"{image_id}.png")
        Image.fromarray(grey).save(saliency / f"{image_id}.png")
        (root / "Annotations" / f"{image_id}.xml").write_text(
            annotation_xml([CLASSES[column] for column in classes_of(index)])
        )
    lists = root / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_text("".join(f"{i}\n" for i in ids[:train]))
    (lists / "val.txt").write_text("".join(f"{i}\n" for i in ids[train:]))
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    return TinyVoc(root, saliency, ids[:train], ids[train:])


@pytest.fixture(scope="session")
def voc(tmp_path_factory: pytest.TempPathFactory) -> TinyVoc:
    """A tree that tests only read."""
    return draw_voc(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def own_voc(tmp_path: Path) -> TinyVoc:
    """A tree that the test may spoil."""
    return draw_voc(tmp_path / "own")


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def values(self) -> dict[str, Any]:
        """The one JSON object that stdout must be."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Command = Callable[..., Outcome]


def logged(stage: Path) -> list[dict[str, Any]]:
    """The log of a training without what the clock says, which no two trainings share."""
    lines = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        assert line.pop("images_per_second") > 0
        assert line.pop("time").endswith("+00:00")
    return lines


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without settings of ``wsss``; one thread for arithmetic, wide help."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WSSS_")}
    return {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **(extra or {})}


def script() -> str:
    """The installed command."""
    return str(Path(sys.executable).with_name("wsss"))


@pytest.fixture(scope="session")
def fresh() -> Command:
    """The installed command in a process of its own."""

    def run(
        *args: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Outcome:
        done = subprocess.run(
            [script(), *map(str, args)],
            capture_output=True,
            text=True,
            env=clean_environment(env),
            cwd=cwd,
            timeout=240,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def wsss(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in this process: as ``fresh``, without the seconds that importing torch takes."""
    for name in [name for name in os.environ if name.startswith("WSSS_")]:
        monkeypatch.delenv(name)

    def run(*args: object) -> Outcome:
        from wsss_cli.cli.app import app

        capsys.readouterr()
        code = 0
        try:
            app([str(arg) for arg in args])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return run


def train_arguments(voc: TinyVoc, run: Path) -> list[str]:
    """A training of seconds: the tiny trunk, few iterations."""
    settings = "--backbone tiny --iterations 4 --batch-size 4 --crop 32 --lr 0.01 --amp off"
    return ["train", "--data", str(voc.root), "--run", str(run), *settings.split()]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights of the tiny trunk that give features of every size."""
    import torch

    from wsss_cli.models.trunks import build_trunk

    torch.manual_seed(3)
    layers = build_trunk("tiny").features.state_dict()
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save({f"features.{name}": tensor for name, tensor in layers.items()}, path)
    return str(path)


@pytest.fixture(scope="session")
def trained(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose train and attend are complete; tests only read it."""
    from wsss_cli.configs.attend import AttendConfig
    from wsss_cli.configs.train import TrainConfig
    from wsss_cli.stages import attend, train
    from wsss_cli.tracking import Silent

    run = tmp_path_factory.mktemp("run") / "trained"
    train.run(
        TrainConfig(
            run=run,
            data=voc.root,
            backbone="tiny",
            iterations=4,
            batch_size=4,
            crop=32,
            lr=0.01,
            amp="off",
        ),
        track=Silent(),
    )
    attend.run(AttendConfig(run=run, size=64, amp="off"), track=Silent())
    return run


@pytest.fixture(scope="session")
def chained(trained: Path, voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained run gone on with to proxies, predictions and soft scores; only read."""
    from wsss_cli.configs.proxy import ProxyConfig
    from wsss_cli.configs.segment import SegmentConfig
    from wsss_cli.stages import proxy, segment
    from wsss_cli.tracking import Silent

    run = Path(shutil.copytree(trained, tmp_path_factory.mktemp("chained") / "run"))
    proxy.run(ProxyConfig(run=run, saliency=voc.saliency), track=Silent())
    settings = {"iterations": 2, "batch_size": 2, "crop": 32, "probabilities": True}
    segment.run(SegmentConfig(run=run, amp="off", **settings), track=Silent())
    return run


@pytest.fixture(scope="session")
def lively_checkpoint(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained network with strong random heads, whose maps are not zero everywhere."""
    import torch

    from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint

    content = read_checkpoint(trained / "train" / "checkpoint.pt", "attention")
    generator = torch.Generator().manual_seed(0)
    for name, tensor in content["network"].items():
        if name.startswith("head_"):
            strength = 0.5 if name.endswith("bias") else 2 * tensor[0].numel() ** -0.5
            tensor.copy_(strength * torch.randn(tensor.shape, generator=generator))
    path = tmp_path_factory.mktemp("lively") / "checkpoint.pt"
    write_checkpoint(path, "attention", content)
    return path
