"""A training as a run of Weights & Biases, which is an extra of the installation.

Which account, project and mode is said by its own settings: ``wandb login``, ``WANDB_PROJECT``,
``WANDB_MODE=offline``.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# It waits for a server that does not answer for minutes, and in the end for ever.
_SECONDS_TO_BEGIN = 20
_SECONDS_TO_END = 60


class WandbRun:
    """One run: the settings as its config, and metrics over the iterations."""

    def __init__(self, name: str, settings: Mapping[str, Any], run_id: str | None) -> None:
        """Begin a run, or go on in the one with the id given; wandb has more to raise."""
        import wandb

        # Silent, it refuses without a login where it would ask on the terminal, and wait.
        wandb.setup(settings=wandb.Settings(silent=True))
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "wsss"),
            id=run_id,
            name=name,
            config=dict(settings),
            allow_val_change=True,
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                init_timeout=_SECONDS_TO_BEGIN,
                finish_timeout=_SECONDS_TO_END,
            ),
        )
        self.run_id: str = self._run.id

    def log(self, scalars: Mapping[str, float], iteration: int, when: datetime) -> None:
        """Log scalars with the iteration as step; the time is that of the call."""
        del when
        self._run.log(dict(scalars), step=iteration)

    def close(self, *, finished: bool) -> None:
        """Tell how it ended, and wait for what is still on its way."""
        self._run.finish(exit_code=0 if finished else 1)
