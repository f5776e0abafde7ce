"""``wsss show FILE``: every kind of file, and what is said of broken and foreign ones."""

import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import CLASSES, Command, Outcome, TinyVoc
from PIL import Image

from wsss_cli.artifacts.label_png import voc_palette, write_label_map
from wsss_cli.artifacts.submission import FOLDER

LABELS = np.zeros((40, 50), np.uint8)
LABELS[:10] = 255
LABELS[10:20, :25] = 2


@pytest.fixture(scope="module")
def run(trained: Path, voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with proxies, predictions and scores; tests only read it."""
    from wsss_cli.configs.evaluate import EvaluateConfig
    from wsss_cli.configs.proxy import ProxyConfig
    from wsss_cli.configs.segment import SegmentConfig
    from wsss_cli.stages import evaluate, proxy, segment
    from wsss_cli.tracking import Silent

    run = Path(shutil.copytree(trained, tmp_path_factory.mktemp("show") / "run"))
    proxy.run(ProxyConfig(run=run, saliency=voc.saliency), track=Silent())
    config = SegmentConfig(
        run=run,
        iterations=2,
        batch_size=2,
        crop=32,
        amp="off",
        scales=(1.0,),
        flip=False,
        probabilities=True,
        submission=run / "val.tar.gz",
        checkpoint_every=1,
    )
    segment.run(config, track=Silent())
    evaluate.run(EvaluateConfig(run=run), track=Silent())
    return run


def _shown(wsss: Command, path: Path) -> dict[str, Any]:
    done = wsss("show", path, "--json")
    assert done.code == 0, done.err
    assert wsss("show", path).out.startswith(f"{done.values['path']}: {done.values['what']} (")
    assert done.values["bytes"] == Path(done.values["path"]).stat().st_size
    return done.values


def _refused(done: Outcome, *parts: str) -> None:
    assert done.code in (1, 2)
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert "--debug" not in done.err, "an error that nobody has foreseen"
    for part in parts:
        assert part in done.err


def test_attention_is_counted_and_measured(wsss: Command, run: Path) -> None:
    path = run / "attend/attention.h5"
    shown = _shown(wsss, path)
    with h5py.File(path) as file:
        maps = [file[image_id]["maps"][()] for image_id in file]
    facts = shown["facts"]
    assert facts["images"] == len(maps) == 12
    assert facts["maps"] == sum(len(one) for one in maps)
    assert facts["class_names"] == list(CLASSES)
    assert (facts["labels"], facts["schema"], facts["files"]) == ("given", 1, 1)
    looked = facts["looked_at"]
    assert (looked["images"], looked["with_logits"]) == (12, 12)
    assert (looked["height"], looked["width"]) == ({"from": 48, "to": 48}, {"from": 64, "to": 64})
    assert looked["least"] == min(float(one.min()) for one in maps)
    assert looked["largest"] == max(float(one.max()) for one in maps)
    writer = shown["written_by"]
    assert (writer["stage"], writer["status"]) == ("attend", "complete")
    assert writer["settings"]["size"] == 64
    shard = _shown(wsss, run / "attend/shards/00000.h5")
    assert shard["facts"]["maps"] is None
    assert shard["written_by"]["stage"] == "attend"


def test_a_large_file_is_looked_at_here_and_there(wsss: Command, tmp_path: Path) -> None:
    """A map of 81 million values that takes no room on the disk is not read."""
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        for number in range(40):
            group = file.create_group(f"{number:03d}")
            group["class_ids"] = np.array([1], np.uint8)
            group["maps"] = np.full((1, 3, 4), number / 40, np.float32)
        group = file.create_group("100")
        group["class_ids"] = np.array([1], np.uint8)
        group.attrs["height"], group.attrs["width"] = 30, 40
        unwritten = {"chunks": (1, 1000, 1000), "fillvalue": 1}
        group.create_dataset("maps", (1, 9_000, 9_000), "f2", **unwritten)
    looked = _shown(wsss, path)["facts"]["looked_at"]
    assert looked["images"] == 32
    assert (looked["least"], looked["height"]) == (0, {"from": 3, "to": 30})
    assert looked["largest"] == pytest.approx(39 / 40)


def test_scores_checkpoints_and_losses(wsss: Command, run: Path) -> None:
    scores = _shown(wsss, run / "segment/scores.h5")
    assert scores["facts"]["images"] == 4
    assert scores["facts"]["looked_at"]["largest"] <= 0
    attention = _shown(wsss, run / "train/checkpoint.pt")
    network = torch.load(run / "train/checkpoint.pt", weights_only=True)["network"]
    facts = attention["facts"]
    assert facts["numbers"] == sum(tensor.numel() for tensor in network.values())
    assert (facts["method"], facts["backbone"], facts["iteration"]) == ("seenet", "tiny", 4)
    assert facts["class_names"] == list(CLASSES)
    segmentation = _shown(wsss, run / "segment/checkpoint.pt")
    facts = segmentation["facts"]
    assert (facts["model"], facts["backbone"], facts["iteration"]) == ("tiny", "tiny", 2)
    assert segmentation["what"] != attention["what"]
    path = run / "train/metrics.jsonl"
    before = path.read_text()
    lines = [{"iteration": n, "losses": {"a": 30.0 / n}, "lr": 0.1} for n in (10, 20)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))  # so few log none
    log = _shown(wsss, path)
    path.write_text(before)
    assert log["what"] == "the log of a training"
    assert log["facts"] == {"lines": 2, "last": lines[-1]}
    assert log["written_by"]["stage"] == "train"


def test_manifests_scores_and_archives(wsss: Command, run: Path) -> None:
    for path in (run / "proxy", run / "proxy/manifest.json"):
        shown = _shown(wsss, path)
        assert shown["facts"]["stage"] == "proxy"
        assert shown["facts"]["counts"]["images"] == 12
        assert set(shown["facts"]["inputs"]) == {"attention", "saliency"}
    scores = _shown(wsss, run / "evaluate/prediction.json")
    written = json.loads((run / "evaluate/prediction.json").read_text())
    assert scores["facts"]["miou"] == written["miou"]
    archive = _shown(wsss, run / "val.tar.gz")
    assert archive["facts"] == {"label_maps": 4, "folder": str(FOLDER), "other_files": 0}
    assert "wsss check" in archive["advice"]


def test_label_maps_say_the_share_of_each_class(wsss: Command, run: Path, tmp_path: Path) -> None:
    ours = run / "proxy/labels/own.png"
    write_label_map(ours, LABELS)
    try:
        shown = _shown(wsss, ours)
    finally:
        ours.unlink()
    assert shown["what"] == "a label map"
    expected = {"background": 1250 / 2000, CLASSES[1]: 250 / 2000}
    assert shown["facts"]["share_of_class"] == expected
    assert shown["facts"]["share_of_255"] == 500 / 2000
    assert (shown["facts"]["height"], shown["facts"]["width"]) == (40, 50)
    assert shown["facts"]["palette"] == "VOC's colours"
    # Anybody's: without names, with another palette, and as grey, where the values tell.
    other = Image.fromarray(LABELS)
    other.putpalette(list(range(255, -1, -1)) * 3)
    other.save(tmp_path / "other.png")
    shown = _shown(wsss, tmp_path / "other.png")
    assert shown["facts"]["share_of_class"] == {"background": 0.625, "label 2": 0.125}
    assert shown["facts"]["palette"] == "colours of its own"
    assert shown["written_by"] is None
    Image.fromarray(LABELS).save(tmp_path / "grey.png")
    shown = _shown(wsss, tmp_path / "grey.png")
    assert shown["what"] == "a label map, by its few small values"
    assert "62.5%" in wsss("show", tmp_path / "grey.png").out


def test_saliency_is_measured(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    path = voc.saliency / f"{voc.train_ids[0]}.png"
    values = np.asarray(Image.open(path))
    facts = _shown(wsss, path)["facts"]
    assert facts["mean"] == pytest.approx(values.mean())
    assert (facts["least"], facts["largest"]) == (values.min(), values.max())
    assert facts["share_from_128_on"] == (values >= 128).mean()
    Image.fromarray(np.where(LABELS > 0, 255, 0).astype(np.uint8)).save(tmp_path / "hard.png")
    assert "0 and 255 only" in _shown(wsss, tmp_path / "hard.png")["advice"]


def test_decoded_palettes_and_other_pictures_are_told_apart(wsss: Command, tmp_path: Path) -> None:
    Image.fromarray(voc_palette()[LABELS]).save(tmp_path / "decoded.png")
    shown = _shown(wsss, tmp_path / "decoded.png")
    assert shown["what"] == "a label map decoded to colours"
    assert "8-bit grey PNG" in shown["advice"]
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    assert _shown(wsss, tmp_path / "photo.png")["what"] == "a picture in colour"
    flat = np.where(LABELS[..., None] > 0, (1, 2, 3), (9, 8, 7)).astype(np.uint8)  # few colours
    Image.fromarray(flat).save(tmp_path / "flat.png")
    assert _shown(wsss, tmp_path / "flat.png")["what"] == "a picture in colour"
    Image.fromarray(LABELS.astype(np.uint16) * 300).save(tmp_path / "deep.png")
    assert "16 bits" in _shown(wsss, tmp_path / "deep.png")["advice"]


def test_soft_maps_are_probabilities_or_logits(wsss: Command, tmp_path: Path) -> None:
    soft = np.full((4, 5, 6), 0.25, np.float32)
    np.save(tmp_path / "a.npy", soft)
    np.savez_compressed(tmp_path / "b.npz", soft - 3)
    np.save(tmp_path / "c.npy", np.arange(5))
    probable, logits = (_shown(wsss, tmp_path / name) for name in ("a.npy", "b.npz"))
    assert probable["what"].endswith("probabilities")
    assert probable["facts"]["shape"] == "4x5x6"
    assert (logits["facts"]["least"], logits["facts"]["largest"]) == (-2.75, -2.75)
    assert "--logits" in logits["advice"]
    assert "--logits" not in probable["advice"]
    assert _shown(wsss, tmp_path / "c.npy")["what"] == "a numpy array"


def test_toml_files_and_weights_of_others(wsss: Command, tmp_path: Path) -> None:
    comparison = tmp_path / "c.toml"
    comparison.write_text("settings.cam = 1")
    assert _shown(wsss, comparison)["facts"]["settings"] == {"cam": 1}
    comparison.write_text('seeds = [0, 1]\n[train]\nlr = 1\n[settings.cam]\ntrain.method = "cam"\n')
    facts = _shown(wsss, comparison)["facts"]
    assert facts["seeds"] == [0, 1]
    assert facts["settings"] == {"cam": {"train.method": "cam"}}
    assert facts["of_all"] == {"train.lr": 1}
    (tmp_path / "config.toml").write_text("[train]\nlr = 1\n")
    assert "--config" in _shown(wsss, tmp_path / "config.toml")["what"]
    (tmp_path / "data.toml").write_text('images = "a"\nlabels = "b.csv"\n')
    assert "data set" in _shown(wsss, tmp_path / "data.toml")["what"]
    torch.save({"features.0.weight": torch.zeros(2, 3)}, tmp_path / "theirs.pth")
    weights = _shown(wsss, tmp_path / "theirs.pth")
    assert weights["facts"]["numbers"] == 6
    assert "VGG16" in weights["advice"]


@pytest.mark.parametrize(
    "name",
    [
        *("attend/attention.h5", "attend/shards/00000.h5", "segment/scores.h5"),
        *("train/checkpoint.pt", "segment/checkpoint.pt", "proxy/manifest.json"),
        *("evaluate/prediction.json", "val.tar.gz", "LABEL.png", "SOFT.npy", "SOFT.npz"),
    ],
)
@pytest.mark.parametrize("cut", ["half", "ten bytes", "nothing", "noise"])
def test_broken_files_are_one_sentence(
    wsss: Command, run: Path, tmp_path: Path, name: str, cut: str
) -> None:
    write_label_map(tmp_path / "LABEL.png", LABELS)
    np.save(tmp_path / "SOFT.npy", LABELS / 255)
    np.savez(tmp_path / "SOFT.npz", LABELS / 255)
    source = run / name if (run / name).exists() else tmp_path / name
    whole = source.read_bytes()
    broken = {
        "half": whole[: len(whole) // 2],
        "ten bytes": whole[:10],
        "nothing": b"",
        "noise": np.random.default_rng(0).bytes(300),
    }[cut]
    place = tmp_path / "broken" / Path(name).name
    place.parent.mkdir()
    place.write_bytes(broken)
    _refused(wsss("show", place), str(place))


class _Bomb:
    """Unpickled by the plain way, this would run code."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("bombed",)


def test_nothing_is_run_followed_or_unpacked(
    wsss: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": _Bomb()}, tmp_path / "bomb.pt")
    np.save(tmp_path / "bomb.npy", np.array([_Bomb()], dtype=object), allow_pickle=True)
    for name in ("bomb.pt", "bomb.npy"):
        _refused(wsss("show", tmp_path / name), name)
    assert not (tmp_path / "bombed").exists()
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["a"] = h5py.ExternalLink(str(run / "attend/shards/00000.h5"), "/a")
    _refused(wsss("show", tmp_path / "linked.h5"), "outside its own folder")
    with tarfile.open(tmp_path / "odd.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("../escaped.png")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
    assert _shown(wsss, tmp_path / "odd.tar.gz")["facts"]["other_files"] == 1
    assert not (tmp_path.parent / "escaped.png").exists()


def test_what_is_unknown_is_called_so(wsss: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    _refused(wsss("show", tmp_path / "notes.txt"), "notes.txt")
    _refused(wsss("show", tmp_path / "nothing.h5"), "does not exist")
    (tmp_path / "other.json").write_text('{"a": 1}')
    _refused(wsss("show", tmp_path / "other.json"), "neither a manifest nor scores")
    (tmp_path / "list.json").write_text("[1]")
    _refused(wsss("show", tmp_path / "list.json"), "neither a manifest nor scores")
    (tmp_path / "odd.json").write_text('{"rows": [1], "seeds": 2, "differences": 3}')
    _refused(wsss("show", tmp_path / "odd.json"), "odd.json")
    (tmp_path / "other.toml").write_text("a = 1")
    _refused(wsss("show", tmp_path / "other.toml"), "neither a comparison")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("a")["b"] = 1
    _refused(wsss("show", tmp_path / "other.h5"), "neither attention", "a holds b")
    with h5py.File(tmp_path / "wide.h5", "w") as file:
        group = file.create_group("a")
        group["maps"] = np.zeros((1, 2, 2), np.float32)
        group.create_dataset("class_ids", (10**11,), "u1", chunks=(1000,))  # 100 GB of nothing
    _refused(
        wsss("show", tmp_path / "wide.h5"),
        "image a has class_ids of the shape (100000000000,), which is too large",
    )
    with h5py.File(tmp_path / "scores.h5", "w") as file:
        for image_id, name in (("a", "scores"), ("b", "other")):
            group = file.create_group(image_id)
            group[name] = np.zeros((2, 3, 4), np.float32)
            group.attrs["height"], group.attrs["width"] = 3, 4
    _refused(wsss("show", tmp_path / "scores.h5"), "image b has no scores")
    torch.save({"format": "wsss-checkpoint-1", "kind": "weather"}, tmp_path / "kind.pt")
    _refused(wsss("show", tmp_path / "kind.pt"), "weather")
    torch.save({"format": "wsss-checkpoint-1", "kind": "attention"}, tmp_path / "part.pt")
    _refused(wsss("show", tmp_path / "part.pt"), "does not hold a whole one")
    torch.save({"a": 1}, tmp_path / "plain.pt")
    _refused(wsss("show", tmp_path / "plain.pt"), "holds no tensors by name")
    _refused(wsss("show", tmp_path / "notes.txt", tmp_path), "--image ID")
