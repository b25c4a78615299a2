"""The sweeps that are disturbed, and what their results are where nothing disturbs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

#: The label of the device, and the name of its lane.
LABEL, LANE = "qpu", "qpu"
# Noise of this strength gives many different trajectories, so that training takes its time.
_SLOW = {"name": "exact", "noise": 0.1, "trajectories": 3000}
_SETTINGS = 8
_STEPS = 12


def sweep_file(trials: int, record: Path, speedup: float) -> str:
    """The text of the sweep file.

    Simulated trials take about a second. Trials on the processor need a job for each step and one
    more.

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
            _SLOW,
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


def spot_file(trials: int, steps: int) -> str:
    """The text of a sweep of simulated trials alone, which report each step.

    Args:
        trials: how many trials; a multiple of 4.
        steps: how many steps each of them takes, 8 of them in a second.

    Raises:
        ValueError: if the number of trials is not a positive multiple of 4.
    """
    if trials < 4 or trials % 4:
        raise ValueError(f"trials must be a positive multiple of 4, but got {trials}")
    content = {
        "name": "spot",
        "datasets": ["moons", "gaussian"],
        "networks": [{"kind": "mlp", "hidden": 1}],
        "objectives": ["mle", {"name": "selbo", "lambda": 10}],
        "devices": [_SLOW],
        "seeds": trials // 4,
        "training": {"steps": steps, "report_every": 1},
    }
    return json.dumps(content, indent=1)


def undisturbed(text: str, folder: Path) -> str:
    """The digest of a sweep's results on a Ray of its own, where nothing is killed."""
    file, summary = folder / "calm.yaml", folder / "calm.json"
    file.write_text(text)
    command = [sys.executable, "-m", "qhn.cli", "sweep", "run", str(file), "--no-report"]
    options = ["--store", str(folder / "calm"), "--summary", str(summary)]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return str(json.loads(summary.read_text())["results_digest"])
