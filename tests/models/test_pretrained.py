"""Initial weights: copied by torchvision's names, refused with the layers that do not fit."""

import hashlib
from pathlib import Path

import pytest
import torch
from torchvision.models import VGG16_Weights

from wsss_cli.errors import UsageError, WsssError
from wsss_cli.models import pretrained
from wsss_cli.models.pretrained import InitialWeights, initial_weights
from wsss_cli.models.trunks import Preprocessing, build_trunk
from wsss_cli.tracking import Silent


def _file(path: Path, **changes: object) -> Path:
    torch.manual_seed(1)
    tensors = {f"features.{n}": t for n, t in build_trunk("tiny").features.state_dict().items()}
    tensors["classifier.6.weight"] = torch.zeros(2, 2)
    torch.save({**tensors, **changes}, path)
    return path


def test_feature_layers_are_copied_and_the_classifier_is_left_out(tmp_path: Path) -> None:
    weights = initial_weights(str(_file(tmp_path / "w.pt")), "tiny", Silent())
    torch.manual_seed(2)
    trunk = build_trunk("tiny")
    weights.load_into(trunk)
    torch.manual_seed(1)
    expected = build_trunk("tiny").features.state_dict()
    assert all(torch.equal(t, expected[n]) for n, t in trunk.features.state_dict().items())
    assert trunk.mean.flatten().tolist() == pytest.approx([123.68, 116.779, 103.939])


def test_equal_files_have_equal_fingerprints_and_others_do_not(tmp_path: Path) -> None:
    paths = [_file(tmp_path / "a.pt"), tmp_path / "b.pt", _file(tmp_path / "c.pt", x=torch.ones(1))]
    paths[1].write_bytes(paths[0].read_bytes())
    prints = [initial_weights(str(path), "tiny", Silent()).fingerprint for path in paths]
    assert prints[0] == prints[1] != prints[2]


def test_layer_of_another_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    changed = {"features.0.weight": torch.zeros(24, 3, 5, 5)}
    with pytest.raises(WsssError, match=r"features\.0\.weight.*24x3x5x5.*24x3x3x3"):
        initial_weights(str(_file(tmp_path / "w.pt", **changed)), "tiny", Silent())


def test_missing_layer_is_named(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(24, 3, 3, 3)}, tmp_path / "w.pt")
    with pytest.raises(WsssError, match=r"features\.1\.weight"):
        initial_weights(str(tmp_path / "w.pt"), "tiny", Silent())


def test_nothing_is_loaded_when_a_layer_does_not_fit(tmp_path: Path) -> None:
    changed = {"features.12.weight": torch.zeros(1)}
    tensors = torch.load(_file(tmp_path / "w.pt", **changed), weights_only=True)
    weights = InitialWeights("w.pt", "", lambda: (tensors, Preprocessing()))
    trunk = build_trunk("tiny")
    before = {name: tensor.clone() for name, tensor in trunk.state_dict().items()}
    with pytest.raises(WsssError):
        weights.load_into(trunk)
    assert all(torch.equal(tensor, before[n]) for n, tensor in trunk.state_dict().items())


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"model": {"features.0.weight": 1}}, 3])
def test_file_that_is_no_dictionary_of_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(WsssError, match=r"w\.pt"):
        initial_weights(str(tmp_path / "w.pt"), "tiny", Silent())


def test_file_that_is_no_torch_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(WsssError, match=r"w\.pt"):
        initial_weights(str(tmp_path / "w.pt"), "tiny", Silent())


def test_no_weights_leave_the_trunk_as_it_is() -> None:
    weights = initial_weights("none", "tiny", Silent())
    trunk = build_trunk("tiny")
    before = {name: tensor.clone() for name, tensor in trunk.state_dict().items()}
    weights.load_into(trunk)
    assert all(torch.equal(tensor, before[n]) for n, tensor in trunk.state_dict().items())


def test_tiny_has_no_imagenet_weights_and_starts_without_by_default() -> None:
    assert initial_weights(None, "tiny", Silent()).name == "none"
    with pytest.raises(UsageError, match="imagenet"):
        initial_weights("imagenet", "tiny", Silent())


def test_unknown_weights_are_a_usage_error_that_names_the_choices() -> None:
    with pytest.raises(UsageError, match=r"imagenet.* none"):
        initial_weights("imagnet", "tiny", Silent())


class Listening(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


DOWNLOADS = {
    "vgg16": ("vgg16_features-amdegroot-88682ab5.pth", "528 MB"),
    "resnet101": ("resnet101-63fe2227.pth", "171 MB"),
    "resnet50": ("resnet50-0676ba61.pth", "98 MB"),
}


@pytest.mark.parametrize("backbone", DOWNLOADS)
def test_download_is_announced_with_size_and_hash_and_its_failure_shows_ways_out(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, size = DOWNLOADS[backbone]
    asked = []

    def download(url: str, path: str, sha: str, **_: object) -> None:
        asked.append((url, path, sha))
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    track = Listening()
    weights = initial_weights(None, backbone, track)
    assert weights.name == "imagenet"
    assert weights.fingerprint == Path(name).stem
    assert not track.notes  # nothing is downloaded before it is used
    with pytest.raises(WsssError, match="pass --weights FILE") as error:
        weights.load_into(build_trunk(backbone))
    sha = Path(name).stem.rsplit("-", 1)[1]
    path = str(tmp_path / "checkpoints" / name)
    assert asked == [(f"https://download.pytorch.org/models/{name}", path, sha)]
    (note,) = track.notes
    assert all(word in note for word in (backbone, size, name, f"begins {sha}", path))
    assert ("--weights none" in str(error.value)) == (backbone == "vgg16")


def test_downloaded_file_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", None)
    expected = build_trunk("resnet50").features.state_dict()
    (tmp_path / "checkpoints").mkdir()
    torch.save(expected, tmp_path / "checkpoints" / DOWNLOADS["resnet50"][0])
    trunk = build_trunk("resnet50")
    initial_weights("imagenet", "resnet50", Silent()).load_into(trunk)
    found = trunk.features.state_dict()
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_vgg16_of_torchvisions_training_brings_its_preprocessing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known by the beginning of its SHA-256, which the file's name promises too."""
    assert VGG16_Weights.IMAGENET1K_V1.url.endswith("vgg16-397923af.pth")
    layers = build_trunk("vgg16").features.state_dict()
    path = tmp_path / "vgg16.pth"
    torch.save({f"features.{n}": torch.zeros(1).expand(t.shape) for n, t in layers.items()}, path)
    means = []
    for known in ("397923af", hashlib.sha256(path.read_bytes()).hexdigest()[:8]):
        monkeypatch.setattr(pretrained, "_TORCHVISION_VGG16_SHA", known)
        trunk = build_trunk("vgg16")
        initial_weights(str(path), "vgg16", Silent()).load_into(trunk)
        means.append((trunk.mean.flatten().tolist(), trunk.std.flatten().tolist()))
    assert means[0] == (pytest.approx([123.68, 116.779, 103.939]), [1, 1, 1])
    assert means[1][0] == pytest.approx([123.675, 116.28, 103.53])
    assert means[1][1] == pytest.approx([58.395, 57.12, 57.375])
