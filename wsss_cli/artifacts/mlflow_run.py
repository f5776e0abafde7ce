"""A training as a run of MLflow, which is an extra of the installation.

Where the server is and which experiment the run belongs to is said by MLflow's own environment
variables: ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_NAME``.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# MLflow tries a server that does not answer for minutes, in which the training would stand still.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class MlflowRun:
    """One run: the settings as its parameters, and metrics over the iterations."""

    def __init__(self, name: str, settings: Mapping[str, Any], run_id: str | None) -> None:
        """Begin a run, or go on in the one with the id given; MLflow has more to raise."""
        for variable, value in _PATIENCE.items():
            os.environ.setdefault(variable, value)
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self._metric = Metric
        self._client = MlflowClient()
        if run_id is not None:
            self._client.update_run(run_id, status="RUNNING")
            self.run_id = run_id
            return
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", "wsss")
        known = self._client.get_experiment_by_name(experiment)
        number = (
            self._client.create_experiment(experiment) if known is None else known.experiment_id
        )
        self.run_id = self._client.create_run(number, run_name=name).info.run_id
        params = [Param(key, str(value)) for key, value in settings.items()]
        self._client.log_batch(self.run_id, params=params)

    def log(self, scalars: Mapping[str, float], iteration: int, when: datetime) -> None:
        """Log scalars with the iteration as step, at the time when they were logged."""
        milliseconds = int(when.timestamp() * 1000)
        metrics = [
            self._metric(name, value, milliseconds, iteration) for name, value in scalars.items()
        ]
        self._client.log_batch(self.run_id, metrics=metrics)

    def close(self, *, finished: bool) -> None:
        """Tell how it ended."""
        self._client.set_terminated(self.run_id, "FINISHED" if finished else "KILLED")
