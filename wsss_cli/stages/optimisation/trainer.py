"""The loop of every training: seeded by iteration, stopped at will, resumed to the same bits."""

import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from wsss_cli import ranks, stop_signals
from wsss_cli.artifacts.metrics_log import MetricsLog, read_metrics
from wsss_cli.artifacts.trackers import TrackedTraining
from wsss_cli.errors import DivergenceError, UsageError, WsssError
from wsss_cli.stages.optimisation.divergence_watch import DivergenceWatch
from wsss_cli.stages.optimisation.kept_states import KeptStates
from wsss_cli.stages.optimisation.loss_window import LossWindow
from wsss_cli.tracking import Track

# Seconds after which a resumable state is written, however few iterations they were.
CHECKPOINT_SECONDS = 60.0
_STOPPING = "stopping after this iteration, which is then kept; Ctrl-C again stops at once"

Batch = tuple[Tensor, ...]


class Loss(NamedTuple):
    """The loss of a batch: a mean, and over how many terms.

    Where several ranks have a part of the batch each, the terms are what the parts weigh.
    """

    mean: Tensor
    terms: int | Tensor


class Memory(Protocol):
    """What a training remembers beside its weights; a part of its resumable state."""

    def state(self) -> dict[str, Any]:
        """Tensors and plain values, the same on every rank; every rank calls."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""


class _ForwardPass(nn.Module):
    """The losses of a batch as a module, since ``DistributedDataParallel`` follows modules only."""

    def __init__(self, network: nn.Module, losses_of: Callable[..., Mapping[str, Loss]]) -> None:
        """Take the network whose parameters learn, and the losses of a batch."""
        super().__init__()
        self.network = network
        self.losses_of = losses_of

    def forward(self, *batch: Tensor) -> Mapping[str, Loss]:
        """Named losses of a batch."""
        return self.losses_of(*batch)


class _Wishes(NamedTuple):
    """What is to be done after a step: stop, keep the state."""

    stop: bool = False
    save: bool = False

    def and_also(self, other: "_Wishes") -> "_Wishes":
        """What either wishes."""
        return _Wishes(self.stop or other.stop, self.save or other.save)


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

    Of several ranks each computes its part of the batch, and ``DistributedDataParallel`` exchanges
    the gradients, so every rank takes the same step, the one that a rank by itself would take, up
    to rounding.

    Whatever ends a training, the state after its last whole step is kept where it can be.

    Attributes:
        network: Already on its device.
        optimiser: Groups as :func:`parameter_groups` makes them.
        learning_rate: Learning rate of an iteration.
        directory: Where the resumable state and the log go.
        seed: Random numbers inside the network are seeded by it and the iteration.
        checkpoint_every: Iterations between resumable states, which are also written by time.
        images_per_step: For the speed in the log.
        clip_norm: Largest norm of the gradient of all parameters; None for no limit.
        tracked: The training as a tracker gets to know it; None where none is asked for.
        after_step: Given the number of steps done, before a resumable state is written: what it
            leaves on disk is there whenever a later training continues from that state.
        also_logged: Given the number of steps done, further values of a line of the log.
        memory: Has a part of the resumable state.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    learning_rate: Callable[[int], float]
    directory: Path
    seed: int
    checkpoint_every: int
    images_per_step: int
    clip_norm: float | None = None
    tracked: TrackedTraining | None = None
    after_step: Callable[[int], None] = lambda _: None
    also_logged: Callable[[int], Mapping[str, Any]] = lambda _: {}
    memory: Memory | None = None
    iteration: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    _accumulate: int = 1  # batches of a step
    _unread: list[tuple[int, dict[str, Tensor]]] = field(default_factory=list)
    _kept_time: float = 0.0  # when the last state was written
    _whole: bool = True  # no step has begun that has not ended
    _finished: bool = False

    def __post_init__(self) -> None:
        """Nothing is logged and nothing kept yet."""
        self._window = LossWindow(self.images_per_step)
        self._watch = DivergenceWatch(self.directory)

    @property
    def seconds(self) -> float:
        """Time of the steps that this very process made.

        It leaves out what is logged beside the losses, such as the mAP, and the writing of
        resumable states.
        """
        return self._window.seconds

    def unlogged_losses(self) -> dict[str, float]:
        """Mean losses of the iterations since the last line of the log, of all ranks."""
        return self._window.unlogged(self.iteration)

    def resume(self) -> bool:
        """Continue from the last resumable state, if there is one."""
        state = KeptStates(self.directory).read()
        if state is None:
            return False
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.iteration, self.history = state["iteration"], state["history"]
        self._window.shares = state["window"]
        self._watch.restore(state)
        if self.memory is not None:
            self.memory.restore(state["memory"])
        return True

    def train(
        self,
        batches: Callable[[int], Iterable[Batch]],
        losses_of: Callable[..., Mapping[str, Loss]],
        iterations: int,
        track: Track,
        accumulate: int = 1,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        """Train until ``iterations``, checkpointing on the way.

        Asked to stop by a signal, it ends the step that it is in, keeps the state, and stops; asked
        again by Ctrl-C, it stops at once. Any other error costs no more than the step it is in.

        Args:
            batches: Given the first iteration, yields images and what is to be learned of them,
                on the device, ``accumulate`` batches for each iteration.
            losses_of: Named losses of a batch; their sum is minimised.
            iterations: Total, those before a resumption included.
            track: Shown the progress and the loss.
            accumulate: Batches whose gradients make up one step.
            finish: Called after the last step; writes what the training is for.

        Raises:
            DivergenceError: The loss or a weight is no longer a finite number.
            StopRequest: A signal asked for the end; its note says what is kept.
        """
        try:
            with (
                stop_signals.held_back(lambda: track.note(_STOPPING)) as asked,
                self._opened_log() as log,
            ):
                self._train(batches, losses_of, iterations, track, accumulate, finish, asked, log)
        except (stop_signals.StopRequest, DivergenceError) as end:
            if isinstance(end, stop_signals.StopRequest):
                end.add_note(self._standing(iterations))
            raise
        except (Exception, KeyboardInterrupt) as error:
            self._keep_in_spite_of(error, iterations)
            raise

    def _train(
        self,
        batches: Callable[[int], Iterable[Batch]],
        losses_of: Callable[..., Mapping[str, Loss]],
        iterations: int,
        track: Track,
        accumulate: int,
        finish: Callable[[], None],
        asked: Callable[[], int | None],
        log: MetricsLog | None,
    ) -> None:
        """As :meth:`train`; ``asked`` returns the signal that asked for the end, if one has."""
        self._accumulate = accumulate
        self._window.begin(self.iteration)
        self._kept_time = time.monotonic()
        source = iter(batches(self.iteration))
        steps = range(self.iteration, iterations)
        stop = False
        self.network.train()
        forward = ranks.data_parallel(_ForwardPass(self.network, losses_of))
        for iteration in track.steps(
            steps, total=iterations, label="training", done=self.iteration, unit="iterations"
        ):
            # Dropout draws the same numbers whether or not the training was interrupted.
            torch.manual_seed(_mixed(self.seed, iteration))
            for group in self.optimiser.param_groups:
                group["lr"] = self.learning_rate(iteration) * group["lr_factor"]
            self.optimiser.zero_grad(set_to_none=True)
            wishes = _Wishes()
            for number in range(1, accumulate + 1):
                batch = next(source)
                self._whole = False  # statistics of normalised batches change with every pass
                with ExitStack() as stack:
                    stack.enter_context(ranks.noticing_lost_ranks())
                    if number < accumulate:
                        stack.enter_context(ranks.without_exchange(forward))
                    losses = forward(*batch)
                    parts, means, wishes = _shared(losses, wishes.and_also(self._wishes(asked)))
                    self._unread.append((iteration, means))
                    if iteration == 0 or all(mean.device.type == "cpu" for mean in means.values()):
                        self._read_losses()
                    total = torch.stack(tuple(parts.values())).sum() / accumulate
                    # The ranks' gradients are averaged, but what they add to the loss is summed.
                    (total * ranks.world()).backward()  # type: ignore[no-untyped-call]
            if self.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
            self.optimiser.step()
            self.iteration = iteration + 1
            if self._window.is_full(self.iteration):
                self._read_losses()
                line = self._add_line()
                if log is not None:
                    log.add(line)
                track.detail("loss " + _shown(self.history[-1]["losses"]))
            self.after_step(self.iteration)
            self._whole = True
            if ranks.world() == 1:  # nobody has to agree, so this is the moment to ask
                wishes = self._wishes(asked)
            stop = wishes.stop
            due = wishes.save or self.iteration % self.checkpoint_every == 0
            if stop or due:
                self._read_losses()
            if (stop or (due and not self._watch.has_exploded())) and self.iteration < iterations:
                self.save()
            if stop and self.iteration < iterations:
                break
        if self.iteration == iterations:
            self._read_losses()
            self._window.stop()
            self._watch.require_finite_weights(self.network, self.iteration)
            finish()
            self._finished = True
        if stop:
            raise stop_signals.StopRequest(asked() or signal.SIGTERM)  # of another rank, perhaps

    def _opened_log(self) -> AbstractContextManager[MetricsLog | None]:
        """The log, which the first rank writes."""
        if not ranks.first():
            return nullcontext()
        return MetricsLog(self.directory, self.history, self.tracked)

    def save(self) -> None:
        """Write the resumable state, the log so far included.

        Raises:
            DivergenceError: A loss or a weight is no finite number; the states kept before are
                left.
        """
        self._read_losses()
        began = time.monotonic()
        self._watch.require_finite_weights(self.network, self.iteration)
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "iteration": self.iteration,
            "history": self.history,
            "window": self._window.shares,
        }
        if self.memory is not None:
            state["memory"] = self.memory.state()
        self._watch.keep(state)
        self._kept_time = time.monotonic()
        self._window.leave_out(self._kept_time - began)

    def _wishes(self, asked: Callable[[], int | None]) -> _Wishes:
        """What this rank would do after this step; of when a state is due the first one decides."""
        late = time.monotonic() - self._kept_time >= CHECKPOINT_SECONDS
        return _Wishes(stop=asked() is not None, save=late and ranks.first())

    def _keep_in_spite_of(self, error: BaseException, iterations: int) -> None:
        """Keep the last whole step when something else has ended the training.

        Several ranks cannot: the others are in the middle of the next step.
        """
        kept = 0 if self._watch.last is None else self._watch.last.iteration
        if self._whole and ranks.world() == 1 and self.iteration > kept:
            with suppress(WsssError):  # the first error is the one to tell
                self.save()
        if self._watch.last is not None or isinstance(error, KeyboardInterrupt):
            error.add_note(self._standing(iterations))

    def _standing(self, iterations: int) -> str:
        """How much of the training is kept."""
        if self._finished:
            return f"all {iterations} iterations are done"
        if self._watch.last is None:
            return "no state of the training was kept yet"
        path = KeptStates(self.directory).last
        return f"iteration {self._watch.last.iteration} of {iterations} is kept in {path}"

    def _read_losses(self) -> None:
        """Judge and log the losses since the last reading.

        On a CPU that is at once. On a GPU they stay until some have come together: reading one
        waits until all that was asked of the GPU is done, and meanwhile nothing new is asked of
        it. Steps after a loss that is no number are lost then, as is the one that led to it.

        Raises:
            DivergenceError: One is no number.
        """
        unread, self._unread = self._unread, []
        if not unread:
            return
        every = torch.stack([mean for _, means in unread for mean in means.values()]).tolist()
        values = iter(every)
        for iteration, means in unread:
            losses = {name: next(values) for name in means}
            self._watch.judge(sum(losses.values()), iteration)
            self._window.add(losses, self._accumulate)

    def _add_line(self) -> dict[str, Any]:
        """The line of the log for the last iterations."""
        losses, speed = self._window.close(self.iteration)
        line = {
            "iteration": self.iteration,
            "losses": losses,
            "lr": self.learning_rate(self.iteration - 1),
            "images_per_second": speed,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            **self.also_logged(self.iteration),
        }
        self.history.append(line)
        self._window.begin(self.iteration)
        return line


def last_losses(directory: Path) -> dict[str, float]:
    """Mean losses of the last iterations that a training logged; empty if it logged none."""
    lines = read_metrics(directory)
    return dict(lines[-1]["losses"]) if lines else {}


def _shared(
    losses: Mapping[str, Loss], wishes: _Wishes
) -> tuple[dict[str, Tensor], dict[str, Tensor], _Wishes]:
    """What all ranks have to know of a batch, in one message before any gradient.

    Args:
        losses: Losses of this rank's part of the batch.
        wishes: Wishes of this rank.

    Returns:
        What this rank's part adds to each loss of the whole batch; the losses of the whole batch;
        what any rank wishes.
    """
    if ranks.world() == 1:
        own = {name: loss.mean for name, loss in losses.items()}
        return own, {name: mean.detach() for name, mean in own.items()}, wishes
    means = [float(loss.mean.detach()) for loss in losses.values()]
    terms = [float(loss.terms) for loss in losses.values()]
    # A part without any term has a mean of nothing, which is not a number.
    sums = [term and term * mean for term, mean in zip(terms, means, strict=True)]
    message = torch.tensor([*terms, *sums, *map(float, wishes)], dtype=torch.float64)
    values = ranks.summed(message).tolist()
    counts = [max(count, 1.0) for count in values[: len(terms)]]
    of_all = (total / count for total, count in zip(values[len(terms) :], counts, strict=False))
    parts = {
        name: (term / count) * loss.mean
        for (name, loss), term, count in zip(losses.items(), terms, counts, strict=True)
    }
    agreed = _Wishes(*(wish > 0 for wish in values[2 * len(terms) :]))
    shared = {
        name: torch.tensor(mean, dtype=torch.float64)
        for name, mean in zip(losses, of_all, strict=False)
    }
    return parts, shared, agreed


def _mixed(seed: int, iteration: int) -> int:
    """A seed of its own for every iteration (the golden ratio spreads neighbouring numbers)."""
    return (seed * 0x9E3779B97F4A7C15 + iteration) % 2**63


def _shown(losses: Mapping[str, float]) -> str:
    return " ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
