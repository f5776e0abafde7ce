"""The losses of a training between two lines of its log, and how fast it went meanwhile."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

# Iterations over which logged losses are averaged.
LOG_EVERY = 10


@dataclass
class LossWindow:
    """Mean losses and speed since the last line of the log.

    Attributes:
        images_per_step: For the speed.
        shares: What the steps since the last line add to the means of the next one, by loss; of all
            ranks, and a part of the resumable state.
        seconds: Time of the steps that this very process made, without what is left out by
            :meth:`leave_out` or falls between :meth:`close` and :meth:`begin`.
    """

    images_per_step: int
    shares: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    _first: int = 0  # iteration of this process that the clock runs from
    _began: float = 0.0

    def begin(self, iteration: int) -> None:
        """Start the clock at an iteration."""
        self._first, self._began = iteration, time.monotonic()

    def add(self, losses: Mapping[str, float], batches: int) -> None:
        """Add the losses of a batch, one of so many of its step."""
        for name, loss in losses.items():
            self.shares[name] = self.shares.get(name, 0.0) + loss / (LOG_EVERY * batches)

    def leave_out(self, seconds: float) -> None:
        """Do not count the last so many seconds."""
        self._began += seconds

    def is_full(self, iteration: int) -> bool:
        """Whether a line of the log is due after so many iterations."""
        return iteration % LOG_EVERY == 0

    def close(self, iteration: int) -> tuple[dict[str, float], float]:
        """The mean losses of the last iterations, and the images a second."""
        seconds = self.stop()
        speed = (iteration - self._first) * self.images_per_step / max(seconds, 1e-9)
        losses = {name: _rounded(loss) for name, loss in self.shares.items()}
        self.shares = {}
        return losses, float(f"{speed:.4g}")

    def stop(self) -> float:
        """Stop the clock; returns the seconds since it began."""
        seconds = time.monotonic() - self._began
        self.seconds += seconds
        return seconds

    def unlogged(self, iteration: int) -> dict[str, float]:
        """Mean losses of the iterations since the last line of the log, of all ranks."""
        iterations = iteration % LOG_EVERY
        return {name: loss * LOG_EVERY / iterations for name, loss in self.shares.items()}


def _rounded(loss: float) -> float:
    """To six digits, which is more than a mean of a few batches tells."""
    return float(f"{loss:.6g}")
