"""The sweep that is disturbed: as many simulated trials as trials on a rehearsed processor."""

from __future__ import annotations

import json
from pathlib import Path

#: The label of the device, and the name of its lane.
LABEL, LANE = "qpu", "qpu"
_SETTINGS = 8
_STEPS = 12


def sweep_file(trials: int, record: Path, speedup: float) -> str:
    """The text of the sweep file.

    Simulated trials take about a second, because noise of this strength gives many different
    trajectories. Trials on the processor need a job for each step and one more.

    Args:
        trials: how many trials; a multiple of 8.
        record: the folder in which the processor keeps its record.
        speedup: how many of the processor's seconds pass in one second.

    Raises:
        ValueError: if the number of trials is not a positive multiple of 8.
    """
    if trials < _SETTINGS or trials % _SETTINGS:
        raise ValueError(f"trials must be a positive multiple of {_SETTINGS}, but got {trials}")
    content = {
        "name": "chaos",
        "datasets": ["moons", "gaussian"],
        "networks": [{"kind": "mlp", "hidden": 1}],
        "objectives": ["mle", {"name": "selbo", "lambda": 10}],
        "devices": [
            {"name": "exact", "noise": 0.1, "trajectories": 3000},
            {
                "name": "rehearsal",
                "preset": "ibm-open",
                "shots": 64,
                "label": LABEL,
                "folder": str(record),
                "speedup": speedup,
                "transient_rate": 0.05,
            },
        ],
        "lanes": {LANE: {"devices": [LABEL]}},
        "seeds": trials // _SETTINGS,
        "training": {"steps": _STEPS, "report_every": 3},
    }
    # JSON is YAML.
    return json.dumps(content, indent=1)
