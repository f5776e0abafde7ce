"""Whether a training has begun to diverge, and which of its kept states to step back to."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from wsss_cli.errors import DivergenceError, WsssError
from wsss_cli.stages.optimisation.kept_states import KeptStates

# With so many times the loss of the first batch, or 1, no state is kept, unless by request, nor
# gone on from after a divergence.
_EXPLODED = 10.0


class KeptState(NamedTuple):
    """A state that was written: after how many steps, and its loss on the next batch, once known.

    The loss of the step that led to a state is that of the state before.
    """

    iteration: int
    loss: float | None = None


@dataclass
class DivergenceWatch:
    """Looks at every loss of a training and remembers what is known of the states it keeps.

    Attributes:
        directory: Where the states are.
        first_loss: Loss of the first batch of the whole training; None before it.
        last_loss: Loss of the last batch.
        last: The state that was written last; None before any.
        earlier: The one before it.
    """

    directory: Path
    first_loss: float | None = None
    last_loss: float = 0.0
    last: KeptState | None = None
    earlier: KeptState | None = None

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a resumable state."""
        self.first_loss = state.get("first_loss")
        self.last = KeptState(state["iteration"])
        self.earlier = KeptState(*state["earlier"]) if state.get("earlier") else None

    def judge(self, loss: float, iteration: int) -> None:
        """Look at the loss of a batch, which is that of the state after so many iterations.

        Raises:
            DivergenceError: It is no number.
            WsssError: Nor was it before the first step.
        """
        self.last_loss = loss
        if self.first_loss is None:
            self.first_loss = loss
        if self.last == KeptState(iteration):
            self.last = KeptState(iteration, loss)
        if math.isfinite(loss):
            return
        if iteration == 0:
            raise WsssError(
                f"the loss is {loss} before the first step, which no learning rate changes; the "
                "initial weights may be broken: choose others by --weights or --start"
            )
        raise self._diverged(f"the loss became {loss}", iteration)

    def require_finite_weights(self, network: nn.Module, iteration: int) -> None:
        """Look at the weights after so many iterations.

        Raises:
            DivergenceError: One is no finite number.
        """
        tensors = [t for t in network.state_dict().values() if t.is_floating_point()]
        if not bool(torch.stack([torch.isfinite(tensor).all() for tensor in tensors]).all()):
            raise self._diverged("weights of the network became nan or inf", iteration)

    def has_exploded(self) -> bool:
        """Whether the last loss is no number or far above the first one."""
        return self._exploded(self.last_loss)

    def keep(self, state: dict[str, Any]) -> None:
        """Write a resumable state, with what is known of it.

        Args:
            state: Tensors and plain values, its ``iteration`` among them.

        Raises:
            WsssError: The disk is full or the folder cannot be written to.
        """
        earlier = self.earlier if self._is_bad(self.last) else self.last
        known = {
            "first_loss": self.first_loss,
            "earlier": None if earlier is None else list(earlier),
        }
        KeptStates(self.directory).write({**state, **known}, keep_last=earlier == self.last)
        self.earlier, self.last = earlier, KeptState(state["iteration"])

    def _diverged(self, subject: str, iteration: int) -> DivergenceError:
        """Step back to the last good state; every rank comes here.

        That is the earlier one of two, since divergence begins before it is seen, and none if its
        own loss shows that it had begun by then.
        """
        states = KeptStates(self.directory)
        kept = self.earlier if states.step_back() else self.last
        if self._is_bad(kept):
            states.remove()
            kept = None
        return DivergenceError(subject, iteration, None if kept is None else kept.iteration)

    def _is_bad(self, kept: KeptState | None) -> bool:
        """Whether a state's own loss, once known, shows that the divergence had begun."""
        return kept is not None and kept.loss is not None and self._exploded(kept.loss)

    def _exploded(self, loss: float) -> bool:
        return not loss <= _EXPLODED * max(self.first_loss or 0.0, 1.0)
