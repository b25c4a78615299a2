"""The code that MLflow runs to serve a posterior. `qhn.sweeps.tracking.model` copies this file.

MLflow executes it as a script when a model is loaded. So the model needs no pickle: it consists of
this code and of the text of the posterior.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.pyfunc import PythonModel

from qhn.core.evaluation.stored_posterior import StoredPosterior


class PosteriorModel(PythonModel):  # type: ignore[misc]
    """Predicts the label of points, averaged over a posterior of networks."""

    def load_context(self, context: Any) -> None:
        """Read the posterior."""
        text = Path(context.artifacts["posterior"]).read_text(encoding="utf-8")
        self._posterior = StoredPosterior.from_json(text)

    # MLflow knows this type of points and says nothing about it. Without a type, and with most
    # others, it prints advice.
    def predict(
        self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> Any:
        """A table with a row for each point; see `prediction_table`."""
        from qhn.sweeps.results.predictions import prediction_table

        points = np.asarray(model_input, dtype=np.float64)
        return prediction_table(self._posterior.predict(points))


mlflow.models.set_model(PosteriorModel())
