"""Refined attention: as the two ways are defined, and what is refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import Command, TinyVoc
from PIL import Image
from pixels_drawn import labelled, mask, save

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.data.coco_regions import compressed
from wsss_cli.data.images import read_image
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.ops.random_walk import walk
from wsss_cli.ops.regions import Regions, draw_regions
from wsss_cli.stages.refine.edge_file import build, read_edges
from wsss_cli.stages.refine.maps import resized

Maps = dict[str, npt.NDArray[np.float32]]
LEARN = ["--edges", "--weights", "none", "--iterations", 6, "--batch-size", 2, "--crop", 32]
LEARN += ["--radius", 4, "--steps", 20, "--amp", "off"]


@pytest.fixture(scope="module")
def sure(voc: TinyVoc, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label maps of the images that have attention: the true masks, their outlines not sure."""
    folder = tmp_path_factory.mktemp("sure")
    with AttentionFile(trained / "attend" / "attention.h5") as file:
        for image_id in file.image_ids:
            mask = np.asarray(Image.open(voc.root / "SegmentationClass" / f"{image_id}.png"))
            label_map = mask.copy()
            label_map[:-1][mask[:-1] != mask[1:]] = 255
            write_label_map(folder / f"{image_id}.png", label_map)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """The trained run, to be written to."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def _maps(path: Path) -> Maps:
    with AttentionFile(path) as file:
        return {i: file.read(i).maps.astype(np.float32) for i in file.image_ids}


def _outlines(path: Path) -> Iterator[tuple[str, list[int], tuple[int, int]]]:
    with AttentionFile(path) as file:
        for image_id in file.image_ids:
            outline = file.outline(image_id)
            yield image_id, outline.class_ids.tolist(), outline.size


def test_a_walk_up_to_learned_edges(voc: TinyVoc, wsss: Command, run: Path, sure: Path) -> None:
    done = wsss("refine", *LEARN, "--proxy", sure, "--run", run, "--json")
    assert done.code == 0, done.err
    assert sorted(done.values["losses"]) == []  # fewer iterations than a line of the log
    before, after = run / "attend" / "attention.h5", run / "refine" / "attention.h5"
    assert list(_outlines(before)) == list(_outlines(after))
    network, given, got = read_edges(run / "refine" / "checkpoint.pt"), _maps(before), _maps(after)
    changed = 0
    for image_id, maps in given.items():
        if not len(maps):
            continue
        image = torch.from_numpy(read_image(voc.image(image_id))).permute(2, 0, 1)[None]
        with torch.inference_mode():
            logits = torch.stack((network(image)[0], network(image.flip(-1))[0].flip(-1))).mean(0)
            edges = logits.sigmoid()
            edges[0], edges[-1], edges[:, 0], edges[:, -1] = 1, 1, 1, 1

            def at(maps: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
                return torch.nn.functional.interpolate(
                    maps[None], size=size, mode="bilinear", antialias=True
                )[0]

            spread = walk(at(torch.from_numpy(maps), tuple(edges.shape)), edges, 5, 10, 20)
            expected = at(spread / max(float(spread.max()), 1e-30), maps.shape[1:])
        np.testing.assert_allclose(got[image_id], expected, atol=2e-3)
        changed += int(np.abs(got[image_id] - maps).max() > 0.05)
    assert changed
    # The edges of one run refine another's maps.
    again = wsss(
        *("refine", "--checkpoint", run / "refine" / "checkpoint.pt", "--steps", 20),
        *("--attention", before, "--data", voc.root, "--amp", "off", "--run", run.parent / "other"),
    )
    assert again.code == 0, again.err
    for image_id, maps in _maps(run.parent / "other" / "refine" / "attention.h5").items():
        np.testing.assert_array_equal(maps, got[image_id])


def test_what_is_known_of_learned_edges_outlives_their_log(
    wsss: Command, run: Path, sure: Path
) -> None:
    command = ["refine", *LEARN, "--iterations", "10", "--proxy", sure, "--run", run, "--json"]
    before = wsss(*command).values
    assert before["losses"]
    (run / "refine" / "metrics.jsonl").unlink()
    after = wsss(*command).values
    assert after["status"] == "complete"
    for name in ("losses", "training_seconds"):
        assert after[name] == before[name]


def test_it_is_a_stage_like_any_other(
    voc: TinyVoc, wsss: Command, run: Path, sure: Path, tmp_path: Path
) -> None:
    asked = ["refine", *LEARN, "--proxy", shutil.copytree(sure, tmp_path / "sure"), "--run", run]
    assert wsss(*asked, "--dry-run").code == 0
    assert not (run / "refine").exists()
    assert wsss(*asked).code == 0
    assert wsss(*asked, "--json").values["status"] == "up to date"
    refused = wsss(*asked, "--beta", 3)
    assert refused.code == 2
    assert "beta" in refused.err
    assert not (run / "refine" / "resume.pt").exists()
    stages = wsss("show", run, "--json").values["stages"]
    assert stages["refine"]["status"] == "complete"
    assert not stages["refine"]["stale"]
    proxies = ["proxy", "--rule", "threshold", "--attention", run / "refine" / "attention.h5"]
    assert wsss(*proxies, "--data", voc.root, "--run", tmp_path / "next").code == 0
    changed = next((tmp_path / "sure").iterdir())
    write_label_map(changed, np.zeros_like(np.asarray(Image.open(changed))))
    assert wsss("show", run, "--json").values["stages"]["refine"]["stale"]


def _written(folder: Path, kind: str, image_id: str, numbers: npt.NDArray[np.uint8]) -> None:
    """The regions of an image, a number each and 0 for none, as tools write them."""
    masks = [numbers == number for number in np.unique(numbers) if number]
    if kind == "png":
        Image.fromarray(numbers).save(folder / f"{image_id}.png")
    elif kind == "deep":
        Image.fromarray(numbers.astype(np.uint16) * 257).save(folder / f"{image_id}.png")
    elif kind == "npy":
        np.save(folder / f"{image_id}.npy", numbers.astype(np.int32))
    elif kind == "masks":
        np.save(folder / f"{image_id}.npy", np.stack(masks))
    elif kind == "pictures":
        (folder / image_id).mkdir()
        for number, mask in enumerate(masks):
            Image.fromarray((255 * mask).astype(np.uint8)).save(folder / image_id / f"{number}.png")
        (folder / image_id / "metadata.csv").write_text("id,area\n")
    else:
        listed = [{"segmentation": _runs(mask, kind), "area": int(mask.sum())} for mask in masks]
        content = {"image": {}, "annotations": listed} if kind == "sa1b" else listed
        (folder / f"{image_id}.json").write_text(json.dumps(content))


def _runs(mask: npt.NDArray[np.bool_], kind: str) -> dict[str, object]:
    flat = np.concatenate(([False], mask.T.ravel(), [False]))
    at = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate(([0], at, [mask.size]))).tolist()
    return {"size": list(mask.shape), "counts": runs if kind == "plain" else compressed(runs)}


@pytest.mark.parametrize(
    "kind", ["png", "deep", "npy", "masks", "pictures", "sam", "plain", "sa1b"]
)
def test_regions_of_every_tool_draw_the_same(
    wsss: Command, run: Path, tmp_path: Path, kind: str
) -> None:
    folder, expected = tmp_path / "regions", {}
    folder.mkdir()
    rng = np.random.default_rng(0)
    with AttentionFile(run / "attend" / "attention.h5") as file:
        for image_id in file.image_ids:
            attention = file.read(image_id)
            height, width = attention.size
            numbers = rng.integers(0, 5, (-(-height // 8), -(-width // 8))).astype(np.uint8)
            numbers[0, 0] = 1
            numbers = numbers.repeat(8, 0).repeat(8, 1)[:height, :width]
            _written(folder, kind, image_id, numbers)
            members = [np.flatnonzero(numbers == n) for n in np.unique(numbers) if n]
            which = np.repeat(np.arange(len(members)), [len(pixels) for pixels in members])
            regions = Regions(attention.size, np.concatenate(members), which)
            expected[image_id] = draw_regions(enlarge_maps(attention.maps, attention.size), regions)
    done = wsss("refine", "--regions", folder, "--run", run)
    assert done.code == 0, done.err
    got = _maps(run / "refine" / "attention.h5")
    for image_id, maps in expected.items():
        np.testing.assert_allclose(got[image_id], maps, atol=1e-3)
    assert not (run / "refine" / "checkpoint.pt").exists()
    settings = read_manifest(run / "refine")["settings"]
    learning = {"lr", "iterations", "beta", "steps", "seed", "radius", "precision"}
    assert not learning & set(settings)
    assert not wsss("show", run, "--json").values["stages"]["refine"]["stale"]


def test_images_without_regions_keep_their_maps_and_are_named(
    wsss: Command, run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "regions"
    folder.mkdir()
    with AttentionFile(run / "attend" / "attention.h5") as file:
        images = {image_id: file.read(image_id) for image_id in file.image_ids}
    first, second, third, *others = images
    (folder / f"{first}.json").write_text('[{"segmentation": []}]')
    (folder / second).mkdir()
    Image.new("L", images[third].size[::-1]).save(folder / f"{third}.png")
    for image_id in others:
        (folder / f"{image_id}.json").write_text("[]")
    refused = wsss("refine", "--regions", folder, "--run", run)
    assert refused.code == 1
    assert str(folder) in refused.err
    *others, last = others
    (folder / f"{last}.json").unlink()
    Image.new("L", images[last].size[::-1], 1).save(folder / f"{last}.png")
    done = wsss("refine", "--regions", folder, "--run", run, "--json")
    assert done.code == 0, done.err
    (sentence,) = (line for line in done.values["warnings"] if "region" in line)
    assert f"{len(others) + 3} of {len(images)}" in sentence
    got = _maps(run / "refine" / "attention.h5")
    for image_id in (first, second, third):
        np.testing.assert_allclose(got[image_id], images[image_id].maps, atol=0.5 / 20 + 1e-3)
    before = wsss("show", run, "--json").values["stages"]["refine"]
    assert not before["stale"]
    (folder / second / "metadata.csv").touch()  # as SAM leaves it where it finds nothing
    shutil.move(folder / f"{last}.png", folder / second / "0.png")
    (folder / last).mkdir()
    # The same pictures, but of other images.
    assert wsss("show", run, "--json").values["stages"]["refine"]["stale"]
    (folder / second / "0.png").unlink()
    Image.new("L", images[last].size[::-1], 1).save(folder / last / "0.png")
    done = wsss("refine", "--regions", folder, "--run", run, "--overwrite")
    assert done.code == 0, done.err
    (folder / second / "mask.jpg").touch()  # no picture of ours, so not known to be none
    assert second in wsss("refine", "--regions", folder, "--run", run, "--overwrite").err


def test_what_it_cannot_work_with_is_named(
    voc: TinyVoc, wsss: Command, run: Path, sure: Path, tmp_path: Path
) -> None:
    def refused(*options: object, code: int = 1) -> str:
        outcome = wsss("refine", *options, "--run", run)
        assert outcome.code == code, outcome.err
        assert "Traceback" not in outcome.err
        assert not (run / "refine").exists()
        return outcome.err

    err = refused(code=2)
    assert all(option in err for option in ("--edges", "--regions", "--checkpoint"))
    assert "wsss proxy" in refused(*LEARN, code=2)
    folder = tmp_path / "bad"
    folder.mkdir()
    assert str(folder) in refused("--regions", folder)
    ids = [image_id for image_id, _, _ in _outlines(run / "attend" / "attention.h5")]
    for image_id in ids:
        Image.new("L", (7, 5), 1).save(folder / f"{image_id}.png")
    err = refused("--regions", folder)
    assert f"{ids[0]}.png" in err
    assert "7 x 5" in err
    (folder / f"{ids[0]}.json").write_text("[]")
    err = refused("--regions", folder)
    assert f"{ids[0]}.json" in err
    assert f"{ids[0]}.png" in err
    (folder / f"{ids[0]}.png").unlink()
    for content in ("{}", "[3]", "[{}]", '[{"segmentation": {"size": [5, 7]}}]', "[[", "1"):
        (folder / f"{ids[0]}.json").write_text(content)
        assert f"{ids[0]}.json" in refused("--regions", folder)
    even = tmp_path / "even"
    shutil.copytree(sure, even)
    for path in even.iterdir():
        write_label_map(path, np.zeros_like(np.asarray(Image.open(path))))
    assert str(even) in refused(*LEARN, "--proxy", even)
    thin = next(even.iterdir())
    label_map = np.asarray(Image.open(thin)).copy()
    label_map[1, 1] = 255  # no label of its own
    write_label_map(thin, label_map)
    assert "no label map has more than one label" in refused(*LEARN, "--proxy", even)
    label_map[5:8] = 1  # thinner than the stride of the edges
    write_label_map(thin, label_map)
    plan = wsss("refine", *LEARN, "--proxy", even, "--run", run, "--dry-run")
    assert plan.code == 0, plan.err
    thin.unlink()
    assert thin.stem in refused(*LEARN, "--proxy", even)
    err = refused("--checkpoint", run / "train" / "checkpoint.pt")
    assert str(run / "train" / "checkpoint.pt") in err


@pytest.mark.parametrize("backbone", ["tiny", "vgg16"])
@pytest.mark.parametrize("side", [1, 4, 7, 8, 9])
def test_edges_of_images_thinner_than_a_trunks_stride(backbone: str, side: int) -> None:
    torch.manual_seed(0)
    network = build(backbone).eval()
    with torch.inference_mode():
        for size in ((40, side), (side, 40), (side, side)):
            image = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
            edges = network(image)
            assert tuple(edges.shape) == (1, *(-(-each // 4) for each in size))
            assert edges.isfinite().all()
            if side >= 8:  # nothing is put beside these
                blocks = network.trunk.block_features(image)
                assert torch.equal(edges, network.draw(blocks, (edges.shape[1], edges.shape[2])))


@pytest.mark.parametrize("side", [1, 4, 7])
def test_maps_start_the_walk_where_they_are(side: int) -> None:
    maps = torch.zeros(1, 40, side)
    maps[0, 20:] = 1
    for small in (resized(maps, (10, 1)), resized(maps.mT, (1, 10)).mT):
        assert small[0, :5, 0].max() < 0.2
        assert small[0, 5:, 0].min() > 0.8


@pytest.mark.parametrize("side", [1, 4, 7, 8])
def test_maps_of_thin_pictures_are_refined(wsss: Command, tmp_path: Path, side: int) -> None:
    data = tmp_path / "data"
    masks = {name: mask(value) for name, value in (("wide", 1), ("other", 2))}
    labelled(data, {"wide": "cat", "other": "dog", "thin": "cat", "flat": "dog"}, masks)
    for name, size in (("thin", (48, side)), ("flat", (side, 48))):
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
        save(data / f"{name}.jpg", pixels)
        save(data / "masks" / f"{name}.png", np.zeros(size, np.uint8))
    attention = tmp_path / "attention.h5"
    with h5py.File(attention, "w") as file:
        for name, class_id in (("wide", 1), ("other", 2), ("thin", 1), ("flat", 2)):
            size = np.asarray(Image.open(data / "masks" / f"{name}.png")).shape
            file[f"{name}/maps"] = np.full((1, *size), 0.5, np.float16)
            file[f"{name}/class_ids"] = np.array([class_id], np.uint8)
    done = wsss(
        *("refine", *LEARN, "--backbone", "tiny", "--proxy", data / "masks", "--data", data),
        *("--attention", attention, "--run", tmp_path / "run"),
    )
    assert done.code == 0, done.err
    for name, maps in _maps(tmp_path / "run" / "refine" / "attention.h5").items():
        assert maps.max() > 0.5, name
