"""A trial that sleeps in place of training, and answers and stores what a real one would."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ray.tune import Trainable

from qhn.core.arrays import ArrayState
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import Store, TrialResult, read_history
from qhn.sweeps.store.checkpoints import encode
from qhn.sweeps.trial.messages import Answer
from qhn.sweeps.trial.session import TrialSession, result_of


@dataclass(frozen=True)
class Material:
    """What each trial stores and answers: the states of one that was really trained.

    Attributes:
        states: its checkpoint at each report.
        metrics: its metrics at each report.
        steps: the step of each report.
        result: its result.
    """

    states: list[ArrayState]
    metrics: list[Mapping[str, float]]
    steps: list[int]
    result: TrialResult

    @classmethod
    def of(cls, config: TrialConfig) -> Material:
        """Train one trial, and keep what it would have stored."""
        states, problem = [], factory.problem(config)
        with config.device.open(factory.ansatz(config)) as device:
            session = TrialSession(config, problem, device, None)
            while not session.trainer.finished:
                session.work(60.0, until_report=True)
                states.append(session.state())
        histories = [read_history(state) for state in states]
        return cls(
            states,
            [history.last() for history in histories],
            [history.steps[-1] for history in histories],
            result_of(config.trial_id, states[-1], "finished"),
        )


class SleepingTrial(Trainable):  # type: ignore[misc]
    """One slot: trial after trial, each of which answers as often as the driver has told it.

    The host sleeps for `pause` seconds before each call of `train`.

    Attributes:
        pause: how long the present piece of work takes, in seconds.
    """

    # These are the same for all slots of a host, which sets them before the first trial. Tune's
    # class makes its instances from a configuration alone.
    material: Material
    store: Store
    seconds: float

    def setup(self, config: Mapping[str, Any]) -> None:
        # Slots start together, but on a machine that has run for a while their trials end at
        # different times. So the first trial of a slot is as far as a random one.
        self._take(config, random.uniform(0.0, self.seconds))

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        self._take(new_config, self.seconds)
        return True

    def _take(self, config: Mapping[str, Any], seconds: float) -> None:
        self._id, self._text = str(config["id"]), str(config["trial"])
        self._pieces = max(1, math.ceil(seconds / float(config["answer_s"])))
        self._done = 0
        self._stored = 0
        self.pause = seconds / self._pieces

    def step(self) -> dict[str, Any]:
        self._done += 1
        over, material = self._done == self._pieces, self.material
        reports = math.ceil(len(material.states) * self._done / self._pieces)
        if not self._stored:
            self._put("config.json", self._text.encode())
        if reports > self._stored:
            self._put("checkpoint.npz", encode(self._id, material.states[reports - 1]))
            self._stored = reports
        if over:
            result = replace(material.result, trial_id=self._id)
            self._put("result.json", result.to_json().encode())
        answer = Answer(
            self._id,
            step=material.steps[reports - 1],
            finished=over,
            seconds=self.pause,
            metrics=material.metrics[reports - 1],
        )
        return {"done": over, "step": answer.step, "qhn": answer.to_json()}

    def _put(self, name: str, content: bytes) -> None:
        # On a cluster other machines wait for their disks, and not the driver's.
        self.store.backend.put(f"{self._id}/{name}", content, durable=False)

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        pass
