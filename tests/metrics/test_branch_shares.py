"""Shares of a branch's attention: by hand, against plain loops, and what cannot change them."""

import math
from fractions import Fraction
from pathlib import Path
from runpy import run_path

import pytest
import torch

from wsss_cli.metrics.branch_shares import LIT, branch_shares

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "branch_shares.py"
MAP = torch.tensor([[1.0, 0.5, 0.25], [0.25, 0.0, 0.75]])
TARGET = torch.tensor([[2, 2, 0], [1, 0, 255]], dtype=torch.uint8)


def test_by_hand_with_an_ignored_pixel_and_another_class() -> None:
    shares = branch_shares(MAP, 2, TARGET)
    assert shares["mass_object"] == pytest.approx(float(Fraction(3, 4)))  # 1.5 of 2, 0.75 ignored
    assert shares["mass_background"] == pytest.approx(float(Fraction(1, 8)))
    assert shares["lit_object"] == 1.0
    assert shares["lit_background"] == 0.0
    assert shares["strength"] == pytest.approx(2 / 5)


def _plain(attention: torch.Tensor, class_id: int, target: torch.Tensor) -> dict[str, float]:
    rows, columns = attention.shape
    cells = [
        (float(attention[y, x]), int(target[y, x])) for y in range(rows) for x in range(columns)
    ]
    counted = [(value, label) for value, label in cells if label != 255]
    total = sum(value for value, _ in counted)
    found = {"strength": total / len(counted)}
    for name, wanted in (("object", class_id), ("background", 0)):
        inside = [value for value, label in counted if label == wanted]
        found[f"mass_{name}"] = sum(inside) / total
        found[f"lit_{name}"] = sum(value >= LIT for value in inside) / len(inside)
    return found


def test_against_plain_loops() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = torch.tensor([0, 1, 2, 3, 255])
    for class_id in (1, 2, 3):
        attention = torch.rand(9, 11, generator=generator)
        target = labels[torch.randint(0, 5, (9, 11), generator=generator)]
        expected = _plain(attention, class_id, target)
        assert branch_shares(attention, class_id, target) == pytest.approx(expected, abs=1e-6)


def test_mass_is_shared_whatever_its_scale_and_lit_starts_at_the_threshold_itself() -> None:
    faint = branch_shares(MAP / 10, 2, TARGET)
    assert faint["mass_object"] == pytest.approx(0.75)
    assert faint["lit_object"] == 0.0
    edge = branch_shares(torch.full((1, 2), LIT), 1, torch.tensor([[1, 0]]))
    assert edge["lit_object"] == edge["lit_background"] == 1.0


def test_what_cannot_be_shared_is_undefined_and_left_out_of_the_mean() -> None:
    silent = branch_shares(torch.zeros(2, 3), 2, TARGET)
    assert math.isnan(silent["mass_object"])
    assert silent["lit_object"] == silent["strength"] == 0.0
    absent = branch_shares(MAP, 3, TARGET)
    assert absent["mass_object"] == 0.0
    assert math.isnan(absent["lit_object"])
    defined_means = run_path(str(BENCHMARK))["defined_means"]
    means = defined_means([silent, absent, branch_shares(MAP, 2, TARGET)])
    assert means["mass_object"] == pytest.approx(0.375)  # of 0 and 3/4
    assert means["lit_object"] == pytest.approx(0.5)  # of 0 and 1
