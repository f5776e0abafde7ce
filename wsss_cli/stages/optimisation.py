"""What both trainings share: parameter groups, seeding by iteration, and resumable state."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wsss_cli import ranks
from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.artifacts.metrics_log import MetricsLog, read_metrics
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.artifacts.tensorboard_events import TensorBoardEvents
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.tracking import Track

RESUME_FILE = "resume.pt"
# Iterations over which logged losses are averaged.
LOG_EVERY = 10
# Of a bias, times that of its weights; it does not decay either. As in the SeeNet group's solver.
BIAS_LR_FACTOR = 2.0

Batch = tuple[Tensor, ...]


class Loss(NamedTuple):
    """The loss of a batch: a mean, and over how many terms.

    Where several ranks have a part of the batch each, the terms are what the parts weigh.
    """

    mean: Tensor
    terms: int | Tensor


def parameter_groups(
    named_parameters: Iterable[tuple[str, nn.Parameter]],
    weight_decay: float,
    lr_factor: Callable[[str], float] = lambda _: 1.0,
) -> list[dict[str, Any]]:
    """Group parameters as Caffe's solvers do: biases learn twice as fast and do not decay.

    Args:
        named_parameters: Of the network; frozen ones are left out.
        weight_decay: Of weights.
        lr_factor: Further factor of the learning rate, by parameter name.

    Returns:
        Groups for ``torch.optim.SGD``, each with its ``lr_factor``.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named_parameters:
        if not parameter.requires_grad:
            continue
        is_bias = name.endswith("bias")
        key = (
            lr_factor(name) * (BIAS_LR_FACTOR if is_bias else 1.0),
            0.0 if is_bias else weight_decay,
        )
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "lr_factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in groups.items()
    ]


def require_shares(batch_size: int) -> None:
    """Refuse a batch of which some ranks would have no part.

    Raises:
        UsageError: There are more ranks than images in a batch.
    """
    if batch_size < ranks.world():
        raise UsageError(
            f"--batch-size {batch_size} is less than the {ranks.world()} processes that share a "
            "batch; raise it or start fewer"
        )


@dataclass
class Trainer:
    """Runs the steps of one training, each a function of its iteration number alone.

    Of several ranks each computes its part of the batch; gradients and losses are summed, so every
    rank takes the same step, the one that a rank by itself would take, up to rounding.

    Attributes:
        network: Already on its device.
        optimiser: Groups as :func:`parameter_groups` makes them.
        learning_rate: Of an iteration.
        directory: Where the resumable state and the log go.
        seed: Random numbers inside the network are seeded by it and the iteration.
        checkpoint_every: Iterations between resumable states.
        images_per_step: For the speed in the log.
        tensorboard: Also log events for TensorBoard.
        after_step: Given the number of steps done, before a resumable state is written: what it
            leaves on disk is there whenever a later training continues from that state.
        also_logged: Given the number of steps done, further values of a line of the log.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    learning_rate: Callable[[int], float]
    directory: Path
    seed: int
    checkpoint_every: int
    images_per_step: int
    tensorboard: bool = False
    after_step: Callable[[int], None] = lambda _: None
    also_logged: Callable[[int], Mapping[str, Any]] = lambda _: {}
    iteration: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    _window: dict[str, float] = field(default_factory=dict)
    _window_start: tuple[int, float] = (0, 0.0)  # iteration and time, of this very process

    def resume(self) -> bool:
        """Continue from the last resumable state, if there is one."""
        path = self.directory / RESUME_FILE
        if not ranks.agreed(path.exists):
            return False
        state = read_checkpoint(path, "resume")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.iteration, self.history = state["iteration"], state["history"]
        self._window = state["window"] if ranks.first() else {}  # it is summed over the ranks
        return True

    def train(
        self,
        batches: Callable[[int], Iterable[Batch]],
        losses_of: Callable[..., Mapping[str, Loss]],
        iterations: int,
        track: Track,
        accumulate: int = 1,
    ) -> None:
        """Train until ``iterations``, checkpointing on the way.

        Args:
            batches: Given the first iteration, yields images and what is to be learnt of them,
                on the device, ``accumulate`` batches for each iteration.
            losses_of: Named losses of a batch; their sum is minimised.
            iterations: Total, those before a resumption included.
            track: Shown the progress and the loss.
            accumulate: Batches whose gradients make up one step.

        Raises:
            WsssError: The loss is no longer a finite number.
        """
        log = None
        if ranks.first():
            log = MetricsLog(self.directory, self.history, tensorboard=self.tensorboard)
        self._window_start = self.iteration, time.monotonic()
        source = iter(batches(self.iteration))
        steps = range(self.iteration, iterations)
        self.network.train()
        for iteration in track.steps(
            steps, total=iterations, label="training", done=self.iteration, unit="iterations"
        ):
            # Dropout draws the same numbers whether or not the training was interrupted.
            torch.manual_seed(_mixed(self.seed, iteration))
            for group in self.optimiser.param_groups:
                group["lr"] = self.learning_rate(iteration) * group["lr_factor"]
            self.optimiser.zero_grad(set_to_none=True)
            for _ in range(accumulate):
                losses = _parts(losses_of(*next(source)))
                total = torch.stack(tuple(losses.values())).sum() / accumulate
                self._require_finite(float(total.detach()), iteration)
                total.backward()  # type: ignore[no-untyped-call]
                self._log(losses, accumulate)
            self._sum_gradients()
            self.optimiser.step()
            self.iteration = iteration + 1
            if self.iteration % LOG_EVERY == 0:
                line = self._close_window()
                if log is not None:
                    log.add(line)
                track.detail("loss " + _shown(self.history[-1]["losses"]))
            self.after_step(self.iteration)
            if self.iteration % self.checkpoint_every == 0 and self.iteration < iterations:
                self.save()
        if log is not None:
            log.close()

    def save(self) -> None:
        """Write the resumable state, the log so far included."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "iteration": self.iteration,
            "history": self.history,
            "window": self._whole_window(),
        }
        write_checkpoint(self.directory / RESUME_FILE, "resume", state)

    def _require_finite(self, loss: float, iteration: int) -> None:
        if math.isfinite(loss):
            return
        path = self.directory / RESUME_FILE
        kept = f"the last good state is kept in {path}" if path.exists() else "nothing was kept yet"
        raise WsssError(
            f"the loss became {loss} at iteration {iteration}, so training stopped; {kept}; train "
            "again with a lower --lr (and --overwrite)"
        )

    def _log(self, losses: Mapping[str, Tensor], accumulate: int) -> None:
        for name, loss in losses.items():
            share = float(loss.detach()) / (LOG_EVERY * accumulate)
            self._window[name] = self._window.get(name, 0.0) + share

    def _whole_window(self) -> dict[str, float]:
        """The losses since the last line of the log, of all ranks."""
        sums = ranks.summed(torch.tensor(list(self._window.values()), dtype=torch.float64))
        return dict(zip(self._window, sums.tolist(), strict=True))

    def _sum_gradients(self) -> None:
        """Sum every parameter's gradient over the ranks, all in one message."""
        if ranks.world() == 1:
            return
        gradients = [
            parameter.grad
            for group in self.optimiser.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        whole = ranks.summed(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(whole, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _close_window(self) -> dict[str, Any]:
        """The line of the log for the last iterations."""
        since, then = self._window_start
        now = time.monotonic()
        speed = (self.iteration - since) * self.images_per_step / max(now - then, 1e-9)
        line = {
            "iteration": self.iteration,
            "losses": {name: _rounded(loss) for name, loss in self._whole_window().items()},
            "lr": self.learning_rate(self.iteration - 1),
            "images_per_second": float(f"{speed:.4g}"),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            **self.also_logged(self.iteration),
        }
        self.history.append(line)
        self._window, self._window_start = {}, (self.iteration, time.monotonic())
        return line

    def unlogged_losses(self) -> dict[str, float]:
        """Mean losses of the iterations since the last line of the log, of all ranks."""
        iterations = self.iteration % LOG_EVERY
        return {name: loss * LOG_EVERY / iterations for name, loss in self._whole_window().items()}


def last_losses(directory: Path) -> dict[str, float]:
    """Mean losses of the last iterations that a training logged; empty if it logged none."""
    lines = read_metrics(directory)
    return dict(lines[-1]["losses"]) if lines else {}


def write_events(directory: StageDirectory) -> None:
    """Make a finished training's events of its log, whatever it was asked for while it ran."""
    with directory.claimed():
        directory.reopen()
        if ranks.first():
            TensorBoardEvents(directory.path, read_metrics(directory.path)).close()


def _parts(losses: Mapping[str, Loss]) -> dict[str, Tensor]:
    """What this rank's part of the batch adds to each loss of the whole batch."""
    if ranks.world() == 1:
        return {name: loss.mean for name, loss in losses.items()}
    terms = torch.tensor([float(loss.terms) for loss in losses.values()], dtype=torch.float64)
    shares = terms / ranks.summed(terms.clone()).clamp_min(1)
    return {
        name: share * loss.mean
        for (name, loss), share in zip(losses.items(), shares.tolist(), strict=True)
    }


def _mixed(seed: int, iteration: int) -> int:
    """A seed of its own for every iteration (the golden ratio spreads neighbouring numbers)."""
    return (seed * 0x9E3779B97F4A7C15 + iteration) % 2**63


def _rounded(loss: float) -> float:
    """To six digits, which is more than a mean of a few batches tells."""
    return float(f"{loss:.6g}")


def _shown(losses: Mapping[str, float]) -> str:
    return " ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
