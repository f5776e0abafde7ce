"""``wsss import``: files as other tools write them, imported, scored, and refused when odd."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc, classes_of
from PIL import Image

# The maps that every tool below is said to have made, by class 0..C-1 of an image.
ClassMaps = dict[int, np.ndarray]
Writer = Callable[[Path, str, ClassMaps], None]
BACKGROUND = np.full((48, 64), 0.25, np.float32)
CLASSES = 3


def _maps(index: int) -> ClassMaps:
    """Maps of the image's classes in eighths, which float16 and float32 hold exactly."""
    rng = np.random.default_rng(index)
    return {c: (rng.integers(0, 9, (48, 64)) / 8).astype(np.float32) for c in classes_of(index)}


def _stack(maps: ClassMaps, *first: np.ndarray) -> np.ndarray:
    return np.stack([*first, *maps.values()])


def _irn(folder: Path, image_id: str, maps: ClassMaps) -> None:
    """irn's step/make_cam.py: keys and the small cam are tensors."""
    high = _stack(maps)
    content = {"keys": torch.tensor(list(maps)), "cam": torch.from_numpy(high)[:, ::4, ::4]}
    np.save(folder / f"{image_id}.npy", {**content, "high_res": high})


def _lpcam(folder: Path, image_id: str, maps: ClassMaps) -> None:
    high = torch.from_numpy(_stack(maps))
    content = {"keys": np.array(list(maps)), "cam": high[:, ::4, ::4].clone(), "high_res": high}
    np.save(folder / f"{image_id}.npy", content)


def _puzzlecam(folder: Path, image_id: str, maps: ClassMaps) -> None:
    keys = np.array([0, *(c + 1 for c in maps)])
    cam = torch.from_numpy(_stack(maps))
    np.save(folder / f"{image_id}.npy", {"keys": keys, "cam": cam, "hr_cam": cam.numpy()})


def _puzzlecam_walked(folder: Path, image_id: str, maps: ClassMaps) -> None:
    keys = np.array([0, *(c + 1 for c in maps)])
    np.save(folder / f"{image_id}.npy", {"keys": keys, "rw": _stack(maps)})


def _sipe(folder: Path, image_id: str, maps: ClassMaps) -> None:
    keys = np.array([0, *(c + 1 for c in maps)])
    np.save(folder / f"{image_id}.npy", {"keys": keys, "IS_CAM": _stack(maps, BACKGROUND)})


def _psa(folder: Path, image_id: str, maps: ClassMaps) -> None:
    np.save(folder / f"{image_id}.npy", maps)


def _psa_after_crf(folder: Path, image_id: str, maps: ClassMaps) -> None:
    np.save(folder / f"{image_id}.npy", {0: BACKGROUND, **{c + 1: m for c, m in maps.items()}})


def _clip_es(folder: Path, image_id: str, maps: ClassMaps) -> None:
    content = {"keys": np.array(list(maps)), "attn_highres": _stack(maps).astype(np.float16)}
    np.save(folder / f"{image_id}.npy", content)


def _weaktr(folder: Path, image_id: str, maps: ClassMaps) -> None:
    keys = np.array([0, *(c + 1 for c in maps)])
    np.save(folder / f"{image_id}.npy", {"prob": _stack(maps, BACKGROUND), "keys": keys})


def _oaa(folder: Path, image_id: str, maps: ClassMaps) -> None:
    for number, attention in maps.items():
        grey = np.rint(attention * 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{image_id}_{number}.png")


def _of_old_numpy(folder: Path, image_id: str, maps: ClassMaps) -> None:
    """As numpy below 2 and Python 3 wrote them: other names of modules, protocol 3."""
    import pickle

    pickled = pickle.dumps(np.array(maps, dtype=object), protocol=3)
    content = pickled.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    with (folder / f"{image_id}.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        file.write(content)


# With the kind that each is of, and the number of its first class.
TOOLS: dict[str, tuple[Writer, str, int]] = {
    "irn": (_irn, "irn", 0),
    "lpcam": (_lpcam, "irn", 0),
    "puzzlecam": (_puzzlecam, "puzzlecam", 1),
    "puzzlecam walked": (_puzzlecam_walked, "puzzlecam", 1),
    "sipe": (_sipe, "sipe", 1),
    "psa": (_psa, "psa", 0),
    "psa after CRF": (_psa_after_crf, "psa", 1),
    "psa with old numpy": (_of_old_numpy, "psa", 0),
    "clip-es": (_clip_es, "clip-es", 0),
    "weaktr": (_weaktr, "weaktr", 1),
    "oaa": (_oaa, "oaa", 0),
}


def _written(folder: Path, voc: TinyVoc, write: Writer) -> Path:
    folder.mkdir()
    for index, image_id in enumerate(voc.train_ids):
        write(folder, image_id, _maps(index))
    return folder


@pytest.mark.parametrize("tool", TOOLS)
def test_files_as_tools_write_them_become_an_attention_file(
    wsss: Command, voc: TinyVoc, tmp_path: Path, tool: str
) -> None:
    write, kind, first = TOOLS[tool]
    folder, out = _written(tmp_path / "maps", voc, write), tmp_path / "out.h5"
    outcome = wsss("import", folder, "--data", voc.root, "-o", out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["kind"] == kind
    assert f"({first} is square)" in outcome.values["numbering"]
    assert outcome.values["warnings"] == []
    with h5py.File(out) as file:
        assert list(file) == voc.train_ids
        assert file.attrs["class_names"].tolist() == ["square", "disc", "cross"]
        for index, image_id in enumerate(voc.train_ids):
            expected = _maps(index)
            assert file[image_id]["class_ids"][()].tolist() == [c + 1 for c in expected]
            near = 1 / 255 if kind == "oaa" else 0
            difference = abs(file[image_id]["maps"][()].astype(np.float32) - _stack(expected))
            assert difference.max() <= near
    scored = wsss("evaluate", "--what", "attention", "--attention", out, "--data", voc.root)
    assert scored.code == 0, scored.err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_all_tools_and_our_own_file_score_the_same(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """The same maps by any way in are the same attention: one table, one number."""
    ours = tmp_path / "ours.h5"
    with h5py.File(ours, "w") as file:
        file.attrs["schema"], file.attrs["class_names"] = 1, ["square", "disc", "cross"]
        for index, image_id in enumerate(voc.train_ids):
            file[f"{image_id}/maps"] = _stack(_maps(index))
            file[f"{image_id}/class_ids"] = [c + 1 for c in _maps(index)]
    table = {}
    for tool in ("ours", "irn", "psa after CRF", "sipe"):
        path = ours
        if tool != "ours":
            folder, path = tmp_path / tool, tmp_path / f"{tool}.h5"
            _written(folder, voc, TOOLS[tool][0])
            assert wsss("import", folder, "--data", voc.root, "--out", path).code == 0
        line = ("evaluate", "--what", "attention", "--attention", path, "--data", voc.root)
        table[tool] = wsss(*line, "--json").values["miou"]
    assert len(set(table.values())) == 1, table


def test_logits_become_probabilities_of_the_images_own_classes(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """ToCo: (1, C + 1, H, W), background first."""
    logits = {
        image_id: np.random.default_rng(i).normal(size=(1, 4, 48, 64)).astype(np.float32)
        for i, image_id in enumerate(voc.train_ids)
    }
    (tmp_path / "maps").mkdir()
    for image_id, of_image in logits.items():
        np.save(tmp_path / "maps" / f"{image_id}.npy", {"msc_seg": of_image})
    outcome = wsss("import", tmp_path / "maps", "--data", voc.root, "-o", tmp_path / "a.h5")
    assert outcome.code == 0, outcome.err
    with h5py.File(tmp_path / "a.h5") as file:
        for index, image_id in enumerate(voc.train_ids):
            softmax = torch.from_numpy(logits[image_id]).softmax(1)[0].numpy()
            expected = softmax[[c + 1 for c in classes_of(index)]]
            assert np.allclose(file[image_id]["maps"][()], expected, atol=1e-3)


def test_squares_of_bytes_get_the_size_of_their_image(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """DRS: uint8 (C, S, S)."""
    (tmp_path / "maps").mkdir()
    grey = np.arange(CLASSES, dtype=np.uint8)[:, None, None] * 51 + np.zeros((1, 20, 20), np.uint8)
    for image_id in voc.train_ids:
        np.save(tmp_path / "maps" / f"{image_id}.npy", grey)
    outcome = wsss("import", tmp_path / "maps", "--data", voc.root, "-o", tmp_path / "a.h5")
    assert outcome.code == 0, outcome.err
    with h5py.File(tmp_path / "a.h5") as file:
        for index, image_id in enumerate(voc.train_ids):
            maps = file[image_id]["maps"][()]
            assert maps.shape[1:] == (48, 64)
            expected = [c * 51 / 255 for c in classes_of(index)]
            assert np.allclose(maps.max(axis=(1, 2)), expected, atol=1e-3)


class _Trap:
    """Runs code when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return (Path.touch, (self.made,))


@pytest.mark.parametrize("hidden", [False, True])
def test_a_pickle_that_calls_anything_is_refused_by_name(
    wsss: Command, voc: TinyVoc, tmp_path: Path, hidden: bool
) -> None:
    folder = _written(tmp_path / "maps", voc, _psa)
    trap: Any = _Trap(tmp_path / "sprung")
    last = folder / f"{voc.train_ids[-1]}.npy"
    np.save(last, {**_maps(11), 2: trap} if hidden else trap)
    outcome = wsss("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5")
    assert outcome.code == 1
    assert str(last) in outcome.err
    assert "pathlib.Path" in outcome.err
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "a.h5").exists()


def test_a_storage_that_calls_anything_is_refused(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of a tensor are a pickle of their own."""
    folder = _written(tmp_path / "maps", voc, _irn)
    last = folder / f"{voc.train_ids[-1]}.npy"

    class Storage:
        def __reduce__(self) -> Any:
            import pickle

            content = pickle.dumps(_Trap(tmp_path / "sprung"), protocol=2)
            return (torch.storage._load_from_bytes, (content,))

    np.save(last, {"keys": Storage(), "high_res": np.zeros((1, 48, 64), np.float32)})
    outcome = wsss("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5")
    assert outcome.code == 1
    assert str(last) in outcome.err
    assert not (tmp_path / "sprung").exists()


def _other_size(folder: Path, voc: TinyVoc) -> None:
    _psa(folder, voc.train_ids[3], {c: m.T.copy() for c, m in _maps(3).items()})


def _lacking(folder: Path, voc: TinyVoc) -> None:
    (folder / f"{voc.train_ids[3]}.npy").unlink()


def _no_such_class(folder: Path, voc: TinyVoc) -> None:
    _psa(folder, voc.train_ids[3], {3: _maps(3)[0]})


def _too_large(folder: Path, voc: TinyVoc) -> None:
    _psa(folder, voc.train_ids[3], {0: 7 * _maps(3)[0]})


def _nan(folder: Path, voc: TinyVoc) -> None:
    _psa(folder, voc.train_ids[3], {0: np.full((48, 64), np.nan, np.float32)})


def _cut_off(folder: Path, voc: TinyVoc) -> None:
    path = folder / f"{voc.train_ids[3]}.npy"
    path.write_bytes(path.read_bytes()[:-3000])


def _other_kind(folder: Path, voc: TinyVoc) -> None:
    _irn(folder, voc.train_ids[3], _maps(3))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_other_size, "exchanged"),
        (_lacking, "lacks maps of 1 of the 12"),
        (_no_such_class, "class 4"),
        (_too_large, "in 0..1"),
        (_nan, "in 0..1"),
        (_cut_off, "restore the file"),
        (_other_kind, "--as"),
    ],
)
def test_maps_that_do_not_fit_are_named(
    wsss: Command,
    voc: TinyVoc,
    tmp_path: Path,
    spoil: Callable[[Path, TinyVoc], None],
    named: str,
) -> None:
    folder = _written(tmp_path / "maps", voc, _psa)
    spoil(folder, voc)
    outcome = wsss("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5", "-q")
    assert (outcome.code, outcome.out) == (1, "")
    message = " ".join(outcome.err.split())
    assert voc.train_ids[3] in message
    assert named in message
    assert not (tmp_path / "a.h5").exists()


def test_classes_in_another_order_are_noticed(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    for index, image_id in enumerate(voc.train_ids):
        _psa(folder, image_id, {(c + 5) % 7: m for c, m in _maps(index).items()})
    outcome = wsss("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5", "-q")
    assert outcome.code == 1
    assert "same order" in " ".join(outcome.err.split())


def test_what_is_left_out_is_named(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = _written(tmp_path / "maps", voc, _irn)
    shutil.copy(folder / f"{voc.train_ids[0]}.npy", folder / "stranger.npy")
    (folder / "notes.txt").write_text("not a map")
    outcome = wsss("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5", "--json")
    assert outcome.code == 0, outcome.err
    stranger, notes = outcome.values["warnings"]
    assert "stranger" in stranger
    assert "notes.txt" in notes


def test_single_maps_of_other_classes_are_imported_and_named(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """Labels may differ in a few images, as those of annotations and of masks do in VOC."""
    folder = _written(tmp_path / "maps", voc, _psa)
    _psa(folder, voc.train_ids[3], {1: _maps(3)[0]})
    line = ("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5", "--json")
    outcome = wsss(*line)
    assert outcome.code == 0, outcome.err
    assert "11 of 12" in outcome.values["numbering"]
    beyond, without = outcome.values["warnings"]
    assert f"{voc.train_ids[3]} (disc)" in beyond
    assert f"{voc.train_ids[3]} (square)" in without
    with h5py.File(tmp_path / "a.h5") as file:
        assert file[voc.train_ids[3]]["class_ids"][()].tolist() == [2]


def test_nothing_to_import(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    line = ("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5")
    assert wsss(*line).code == 2
    _psa(folder, "stranger", _maps(0))
    outcome = wsss(*line)
    assert outcome.code == 2
    assert "--split" in outcome.err
    np.save(folder / "stranger.npy", {"somebody": BACKGROUND})
    outcome = wsss(*line)
    assert outcome.code == 1
    assert "somebody" in outcome.err


def test_a_file_that_is_there_needs_overwrite(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder, out = _written(tmp_path / "maps", voc, _irn), tmp_path / "a.h5"
    out.write_text("mine")
    line = ("import", folder, "--data", voc.root, "--out", out)
    outcome = wsss(*line)
    assert outcome.code == 2
    assert "--overwrite" in outcome.err
    assert out.read_text() == "mine"
    assert wsss(*line, "--overwrite").code == 0
    assert h5py.is_hdf5(out)


def test_the_result_of_a_stage_is_not_replaced(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    folder = _written(tmp_path / "maps", voc, _irn)
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    out = run / "attend" / "attention.h5"
    before = out.read_bytes()
    outcome = wsss("import", folder, "--data", voc.root, "-o", out, "--overwrite")
    assert outcome.code == 2
    assert str(out) in outcome.err
    assert out.read_bytes() == before


def test_a_kind_that_is_named_is_held_to(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = _written(tmp_path / "maps", voc, _irn)
    line = ("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5", "--as")
    assert wsss(*line, "sipe").code == 1
    assert "IS_CAM" in wsss(*line, "sipe").err
    assert "--as" in wsss(*line, "siep").err
    assert wsss(*line, "irn").code == 0


def test_a_full_disk_leaves_nothing(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _written(tmp_path / "maps", voc, _irn)
    full = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr("wsss_cli.artifacts.image_groups.disk_usage", lambda _: full)
    outcome = wsss("import", folder, "--data", voc.root, "-o", tmp_path / "a.h5", "-q")
    assert outcome.code == 1
    assert "disk is full" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


def test_images_of_none_of_the_classes_need_no_map(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    folder, negative = _written(tmp_path / "maps", own_voc, _psa), own_voc.train_ids[2]
    own_voc.annotation(negative).write_text("<annotation><filename>x.jpg</filename></annotation>")
    (folder / f"{negative}.npy").unlink()
    line = ("import", folder, "--data", own_voc.root, "-o", tmp_path / "a.h5", "--json")
    outcome = wsss(*line)
    assert outcome.code == 0, outcome.err
    assert outcome.values["negatives"] == 1
    with h5py.File(tmp_path / "a.h5") as file:
        assert file[negative]["maps"].shape == (0, 48, 64)
    np.save(folder / f"{negative}.npy", {})
    assert wsss(*line, "--overwrite").code == 0
