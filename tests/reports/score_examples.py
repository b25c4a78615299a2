"""Scores of made-up groups."""

from __future__ import annotations

import numpy as np

from qhn.reports.comparison import Subject
from qhn.reports.pairs import Scores

SUBJECT = Subject("moons", "test_accuracy_expected", "elbo lambda=0.1", "mle")


def scores(values) -> Scores:
    """Scores from an array of shape (tasks, seeds)."""
    return {
        f"moons {task}": {seed: float(value) for seed, value in enumerate(row)}
        for task, row in enumerate(np.asarray(values))
    }


def drawn(rng: np.random.Generator, tasks: int, seeds: int, shift: float = 0.0) -> np.ndarray:
    """Accuracies with a level for each task and noise for each seed."""
    levels = rng.normal(0.85, 0.05, (tasks, 1))
    return levels + shift + rng.normal(0.0, 0.03, (tasks, seeds))
