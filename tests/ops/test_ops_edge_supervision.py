"""The loss of edges against a loop over every pair, written from the definition."""

import itertools
import math

import pytest
import torch

from wsss_cli.ops.edge_supervision import edge_losses
from wsss_cli.ops.position_pairs import affinity


def _loss(edges: torch.Tensor, labels: torch.Tensor, radius: int) -> torch.Tensor:
    losses = edge_losses(edges, labels, radius)
    assert list(losses) == ["background", "object", "different"]
    return torch.stack([loss.mean for loss in losses.values()]).sum()


def _slow(edges: torch.Tensor, labels: torch.Tensor, radius: int) -> float:
    costs: dict[str, list[float]] = {"background": [], "object": [], "different": []}
    _, height, width = edges.shape
    cells = list(itertools.product(range(height), range(width)))
    for image, known in zip(edges.tolist(), labels.tolist(), strict=True):
        for (y, x), (v, u) in itertools.combinations(cells, 2):
            down, right = v - y, u - x
            if down**2 + right**2 >= radius**2 or 255 in (known[y][x], known[v][u]):
                continue
            path = [
                image[y + a][x + b]
                for a in range(min(0, down), max(0, down) + 1)
                for b in range(min(0, right), max(0, right) + 1)
                if (down * b - right * a) ** 2 < down**2 + right**2
            ]
            close = 1 - max(path)
            if known[y][x] != known[v][u]:
                costs["different"].append(-math.log(1 + 1e-5 - close))
            else:
                kind = "object" if known[y][x] else "background"
                costs[kind].append(-math.log(close + 1e-5))
    mean = {kind: sum(each) / max(1, len(each)) for kind, each in costs.items()}
    return (mean["background"] / 2 + mean["object"] / 2 + mean["different"]) / 2


@pytest.mark.parametrize("radius", [2, 4, 20])
def test_loss_is_that_of_a_loop_over_the_pairs(radius: int) -> None:
    generator = torch.Generator().manual_seed(radius)
    edges = torch.rand(2, 7, 5, generator=generator)
    labels = torch.tensor([0, 3, 8, 255])[torch.randint(4, (2, 7, 5), generator=generator)]
    assert _loss(edges, labels, radius).item() == pytest.approx(
        _slow(edges, labels, radius), rel=1e-5
    )


def test_gradient_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    edges = torch.rand(1, 5, 6, generator=generator, dtype=torch.float64) * 0.9 + 0.05
    edges.requires_grad_()
    for offset in ((0, 2), (3, -2), (4, 3)):
        assert torch.autograd.gradcheck(lambda e, o=offset: affinity(e, o), (edges,))


def test_nothing_known_costs_nothing_and_teaches_nothing() -> None:
    edges = torch.full((1, 6, 6), 0.5, requires_grad=True)
    loss = _loss(edges, torch.full((1, 6, 6), 255), 10)
    loss.backward()
    assert loss.item() == 0
    assert edges.grad is not None
    assert not edges.grad.any()


def test_learning_puts_the_edge_between_the_labels() -> None:
    logits = torch.randn(1, 8, 12, generator=torch.Generator().manual_seed(0)) / 100
    logits.requires_grad_()
    labels = torch.zeros(1, 8, 12, dtype=torch.long)
    labels[:, :, 5:] = 7
    labels[:, :, 4:7] = 255  # where exactly is not known
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for _ in range(40):
        optimiser.zero_grad()
        _loss(logits.sigmoid(), labels, 5).backward()
        optimiser.step()
    edges = logits.detach().sigmoid()[0]
    assert edges[:, 4:7].amax(1).min() > 0.9
    assert edges[:, :3].max() < 0.1
    assert edges[:, 8:].max() < 0.1
