"""Checkpoints: equal bytes for equal content, no code from files, the right kind."""

import pickle
from pathlib import Path

import pytest
import torch
from fake_card import CARD, card
from torch import nn

from wsss_cli.artifacts.checkpoint import read_checkpoint, read_tensors, write_checkpoint
from wsss_cli.errors import WsssError


def _content() -> dict[str, object]:
    torch.manual_seed(0)
    return {"network": {"a.weight": torch.randn(3, 4)}, "names": ["x", "y"], "iteration": 7}


def test_content_comes_back(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.pt", "attention", _content())
    found = read_checkpoint(tmp_path / "a.pt", "attention")
    assert torch.equal(found["network"]["a.weight"], _content()["network"]["a.weight"])
    assert (found["names"], found["iteration"]) == (["x", "y"], 7)


def test_equal_content_gives_equal_bytes_under_any_name(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.pt", "attention", _content())
    write_checkpoint(tmp_path / "sub" / "long_name.pt", "attention", _content())
    first = (tmp_path / "a.pt").read_bytes()
    assert first == (tmp_path / "sub" / "long_name.pt").read_bytes()
    write_checkpoint(tmp_path / "b.pt", "attention", {**_content(), "iteration": 8})
    assert first != (tmp_path / "b.pt").read_bytes()


def test_bytes_say_nothing_of_the_device(tmp_path: Path) -> None:
    """Saved from a card, torch would ask for that card wherever the file is read."""
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))

    def write(name: str) -> bytes:
        steps = {"steps": [{"of": network[0].weight.detach().clone()}], "iteration": 7}
        content = {"network": network.state_dict(), "optimiser": steps}
        write_checkpoint(tmp_path / name, "attention", content)
        return (tmp_path / name).read_bytes()

    here = write("cpu.pt")
    with card():
        network.to(CARD)
        assert write("card.pt") == here
    found = read_checkpoint(tmp_path / "card.pt", "attention")["network"]
    assert found._metadata["1"] == {"version": nn.BatchNorm2d._version}


def test_checkpoint_of_another_kind_is_refused_with_both_kinds(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.pt", "segmentation", _content())
    with pytest.raises(WsssError, match=r"a\.pt .*segmentation.*attention"):
        read_checkpoint(tmp_path / "a.pt", "attention")


def test_foreign_dictionary_of_tensors_is_no_checkpoint_but_holds_tensors(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "a.pt")
    with pytest.raises(WsssError, match=r"a\.pt .*wsss"):
        read_checkpoint(tmp_path / "a.pt", "attention")
    assert read_tensors(tmp_path / "a.pt")["w"].tolist() == [1, 1]


class _Mischief:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, zipped: bool) -> None:
    content = {
        "format": "wsss-checkpoint-1",
        "kind": "attention",
        "x": _Mischief(tmp_path / "mark"),
    }
    if zipped:
        torch.save(content, tmp_path / "a.pt")
    else:
        (tmp_path / "a.pt").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(WsssError, match=r"a\.pt .*tensors"):
        read_checkpoint(tmp_path / "a.pt", "attention")
    assert not (tmp_path / "mark").exists()
    pickle.loads(pickle.dumps(content))  # the mischief is real: plain pickle runs it
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_truncated_checkpoint_is_refused(tmp_path: Path, kept: float) -> None:
    write_checkpoint(tmp_path / "a.pt", "attention", _content())
    content = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(WsssError, match=r"a\.pt"):
        read_checkpoint(tmp_path / "a.pt", "attention")


def test_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WsssError, match=r"a\.pt"):
        read_checkpoint(tmp_path / "a.pt", "attention")


def test_list_of_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([torch.ones(1)], tmp_path / "a.pt")
    with pytest.raises(WsssError, match=r"a\.pt .*list"):
        read_tensors(tmp_path / "a.pt")
