"""The sweep files of the measurements. All of them train circuits of 6 qubits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The provider's seconds that a job takes.
JOB_S = 2.0


@dataclass(frozen=True)
class Processor:
    """A rehearsal QPU.

    Attributes:
        folder: where it keeps its record. Sweeps that name the same folder share it.
        speedup: how many seconds of it pass in one second.
        queue_s: the mean of its queue times, in its own seconds, exponentially distributed.
        in_flight: how many jobs may be there at once (J); None leaves that to the lane.
    """

    folder: Path
    speedup: float
    queue_s: float = 0.0
    in_flight: int | None = None

    @property
    def jobs_in_flight(self) -> int:
        """J, where the lane decides: queue time over execution time, plus two."""
        return self.in_flight or -int(-self.queue_s // JOB_S) + 2

    def device(self, shots: int, **settings: Any) -> dict[str, Any]:
        """A device of a sweep file, without limits unless the settings name some."""
        return {
            "name": "rehearsal",
            "label": f"qpu-{shots}",
            "preset": "braket",
            "shots": shots,
            "folder": str(self.folder),
            "speedup": self.speedup,
            "queue_s": self.queue_s,
            "job_s": JOB_S,
            "execution_s": 0.0,
            **settings,
        }


def sweep_file(
    name: str,
    devices: list[dict[str, Any]],
    *,
    seeds: int,
    steps: int,
    lane: dict[str, Any],
    first_seed: int = 0,
) -> str:
    """The text of a sweep file.

    Args:
        name: the name of the sweep.
        devices: its devices. Those that have a label are in one lane.
        seeds: how many trials each device gets.
        steps: the steps of each trial. A trial on a QPU has one job more, for its last report.
        lane: the settings of the lane.
        first_seed: the seed of the first trial.
    """
    labels = [device["label"] for device in devices if "label" in device]
    content: dict[str, Any] = {
        "name": name,
        "datasets": ["moons"],
        "networks": [{"kind": "mlp", "hidden": 1}],
        "objectives": [{"name": "selbo", "lambda": 10}],
        "devices": devices,
        "seeds": {"first": first_seed, "count": seeds},
        "training": {"steps": steps},
    }
    if labels:
        content["lanes"] = {"qpu": {"devices": labels, **lane}}
    # JSON is YAML.
    return json.dumps(content, indent=1)


def simulated(trajectories: int) -> dict[str, Any]:
    """A simulator whose trials take long enough for their start not to matter.

    So much noise gives many different trajectories, each of which takes a simulation of its own.
    """
    return {"name": "exact", "noise": 0.1, "trajectories": trajectories}
