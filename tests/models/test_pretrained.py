"""Initial weights: copied by torchvision's names, refused with the layers that do not fit."""

from pathlib import Path

import pytest
import torch

from wsss_cli.errors import UsageError, WsssError
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
    with pytest.raises(WsssError, match=r"features\.0\.weight is 24x3x5x5 instead of 24x3x3x3"):
        initial_weights(str(_file(tmp_path / "w.pt", **changed)), "tiny", Silent())


def test_missing_layer_is_named(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(24, 3, 3, 3)}, tmp_path / "w.pt")
    with pytest.raises(WsssError, match=r"features\.1\.weight is missing"):
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
    with pytest.raises(WsssError, match=r"w\.pt cannot be read"):
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
    with pytest.raises(UsageError, match="imagenet or none"):
        initial_weights("imagnet", "tiny", Silent())
