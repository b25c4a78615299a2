"""The numbers of a report as strict JSON, for other programs."""

from __future__ import annotations

import json
import math
from typing import Any

from qhn.reports.bootstrap import Estimate
from qhn.reports.comparison import Comparison
from qhn.reports.report import AcrossDatasets, DatasetReport, Report
from qhn.reports.sentences import sentence
from qhn.reports.tables import GroupRow
from qhn.sweeps.results.statistics import MeanInterval

#: Raised when a field changes its meaning or disappears. New fields may come at any time.
FORMAT = 1


def report_json(report: Report) -> str:
    """The report as JSON text. Numbers that are not finite are null."""
    content = {
        "format": FORMAT,
        "title": report.title,
        "metric": report.metric,
        "tie": report.tie,
        "alpha": report.alpha,
        "notes": report.notes,
        "missing_controls": report.missing_controls,
        "comparisons": [comparison_values(one) for one in report.comparisons],
        "datasets": [_dataset(one) for one in report.datasets],
        "across_datasets": None if report.across is None else _across(report.across),
        "sweeps": [
            {
                "name": one.name,
                "description": one.description,
                "planned": one.planned,
                "ended": one.ended,
                "failed": one.failed,
                "stopped": one.stopped,
                "versions": one.versions,
                "processors": one.processors,
                "training_seconds": one.training_seconds,
                "wall_seconds": one.wall_seconds,
                "file": one.file,
            }
            for one in report.sweeps
        ],
    }
    return json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def comparison_values(one: Comparison) -> dict[str, Any]:
    """One comparison as plain values."""
    return {
        "dataset": one.subject.dataset,
        "metric": one.subject.metric,
        "quantity": one.quantity,
        "group": one.subject.group,
        "baseline": one.subject.baseline,
        "unit": one.unit,
        "tasks": len(one.tasks),
        "seeds": list(one.seeds),
        "difference": one.difference.mean,
        "low": one.difference.low,
        "high": one.difference.high,
        "effect_size": {"d": one.effect.d, "low": one.effect.low, "high": one.effect.high},
        "higher": one.higher,
        "lower": one.lower,
        "ties": one.ties,
        "p": one.p,
        "p_holm": one.p_holm,
        "verdict": one.verdict,
        "tasks_needed": one.tasks_needed,
        "chosen_here": one.chosen_here,
        "sentence": sentence(one),
    }


def _dataset(one: DatasetReport) -> dict[str, Any]:
    return {
        "name": one.name,
        "tasks": one.tasks,
        "notes": one.notes,
        "groups": [_row(row) for row in one.rows],
        "not_compared": one.not_compared,
        "chosen": [
            {
                "objective": chosen.objective,
                "group": chosen.choice.label,
                "score": chosen.choice.score,
                "chosen_on": chosen.choice.chosen_on,
                "judged_on": chosen.choice.judged_on,
                "chosen_here": chosen.choice.chosen_here,
                "comparison": None
                if chosen.comparison is None
                else comparison_values(chosen.comparison),
            }
            for chosen in one.chosen
        ],
        "enumerated": [
            {
                "task": task,
                "network": network,
                "nll": known.nll,
                "optima": known.optima,
                "test_accuracy": known.test_accuracy,
                "posterior_accuracy_expected": known.posterior_expected,
                "posterior_accuracy_average": known.posterior_average,
            }
            for task, network, known in one.enumerated
        ],
    }


def _row(row: GroupRow) -> dict[str, Any]:
    return {
        "group": row.label,
        "tasks": row.tasks,
        "seeds": list(row.seeds),
        "trials": row.trials,
        "planned": row.planned,
        "failed": row.failed,
        "metrics": {name: _interval(value) for name, value in row.metrics.items()},
        "best_restart": None if row.restarts is None else _interval(row.restarts),
        "flags": dict(row.flags),
        "shots": row.shots,
        "cost": row.cost,
        "training_seconds": row.training_seconds,
    }


def _interval(value: MeanInterval) -> dict[str, float]:
    return {
        "mean": value.mean,
        "deviation_over_seeds": value.deviation,
        "deviation_over_tasks": value.between,
        "low": value.low,
        "high": value.high,
    }


def _across(one: AcrossDatasets) -> dict[str, Any]:
    return {
        "groups": one.labels,
        "datasets": one.datasets,
        "baseline": one.baseline,
        "tasks": one.runs[0],
        "seeds": one.runs[1],
        "average_ranks": one.ranks.ranks.tolist(),
        "friedman_p": one.ranks.p,
        "critical_difference": one.ranks.critical_difference,
        "interquartile_mean": [_estimate(found) for found in one.middle_means],
        "probability_of_improvement": [
            None if found is None else _estimate(found) for found in one.improvement
        ],
        "performance_profiles": [
            {
                "thresholds": found.thresholds.tolist(),
                "share": found.share.tolist(),
                "low": found.low.tolist(),
                "high": found.high.tolist(),
            }
            for found in one.profiles
        ],
    }


def _estimate(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _finite(value: Any) -> Any:
    """The same value with None for each number that is not finite, which JSON has no word for."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
