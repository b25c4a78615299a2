"""The memory said beforehand is at least what a trial takes, and not many times as much."""

from __future__ import annotations

import tracemalloc
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhn.sweeps.config import factory as build
from qhn.sweeps.config.sections import DatasetConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.machine import Machine, size_text, this_machine
from qhn.sweeps.planning.memory import (
    Memory,
    memory_of,
    most_together,
    shared_bytes,
    stored_bytes,
    training_bytes,
)

DEVICE_OPTIONS = ("shots", "estimator", "noise", "trajectories")


def trial(depth=2, hidden=3, best_of=64, train=100, **others):
    options = {name: others.pop(name) for name in DEVICE_OPTIONS if name in others}
    return TrialConfig.model_validate(
        {
            "dataset": {"name": "moons", "train": train},
            "network": {"kind": "mlp", "hidden": hidden},
            "ansatz": {"depth": depth},
            "objective": others or {"name": "mle"},
            "training": {"best_of": best_of, "steps": 2, "report_every": 1},
            "device": {"name": "exact", **options},
            "seed": 0,
        }
    )


SELBO = {"name": "selbo", "lambda": {"schedule": "constant", "value": 1.0}, "bandwidth": 3.5}


@pytest.mark.parametrize(
    "config",
    [
        trial(),
        trial(depth=256, **SELBO),
        trial(best_of=2**18),
        trial(hidden=1),
        trial(hidden=4),
        trial(shots=256, **SELBO),
        trial(shots=2**16, **SELBO),
        trial(shots=2**18, estimator="spsa"),
        trial(shots={"schedule": "warmup", "start": 16, "value": 4096}, **SELBO),
        trial(shots=256, noise=0.02, hidden=2),
        trial(noise=0.1, trajectories=500, hidden=2, **SELBO),
        trial(noise=0.001, **SELBO),
    ],
    ids=lambda config: f"{config.n_qubits}-{config.ansatz.depth}-{config.device.title}",
)
def test_a_trial_takes_no_more_memory_than_is_said(config):
    problem = build.problem(config)
    said = training_bytes(
        config.dataset, config.network, config.ansatz, config.training.best_of, config.device
    )
    measured(config, problem)  # what is imported and loaded once
    peak = measured(config, problem)
    assert 0.4 * said < peak < said


def measured(config, problem):
    from qhn.core.training.trainer import Trainer

    tracemalloc.start()
    try:
        with config.device.open(build.ansatz(config)) as device:
            trainer = Trainer(
                estimator=build.estimator(config, problem, device),
                schedule=build.schedule(config.objective.lambda_),
                optimiser=build.optimiser(config.training),
                seed=0,
                steps=2,
                report_every=1,
            )
            while not trainer.finished:
                trainer.advance()
            trainer.top_strings(10)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_reports_without_kept_probabilities_are_counted(monkeypatch):
    from qhn.core.evaluation import problem

    config = trial(hidden=2, train=20_000)
    monkeypatch.setattr(problem, "MAX_KEPT_BYTES", 1000)
    tables = build.problem(config)
    assert tables.class_probabilities is None
    said = training_bytes(
        config.dataset, config.network, config.ansatz, config.training.best_of, config.device
    )
    assert 0.4 * said < measured(config, tables) < said


def test_each_problem_counts_once_and_the_largest_trial():
    moons, deeper = trial(), trial(depth=3)
    ring = moons.model_copy(update={"dataset": DatasetConfig(name="ring")})
    found = memory_of([moons, moons.model_copy(update={"seed": 1}), ring, deeper])
    shared = sum(shared_bytes(c.dataset, c.network) for c in (moons, ring))
    largest = training_bytes(deeper.dataset, deeper.network, deeper.ansatz, 64, deeper.device)
    assert found == Memory(largest, shared)
    # Where the ring's trial comes last, the table of moons is free by then.
    ordered = memory_of([moons, deeper, ring])
    assert ordered == Memory(largest, shared_bytes(moons.dataset, moons.network))
    assert largest >= 8 * 8 * 2**14


@pytest.mark.parametrize("hidden", [1, 3])
@pytest.mark.parametrize("train", [100, 5000])
def test_what_the_object_store_keeps_is_said(hidden, train):
    config = trial(hidden=hidden, train=train)
    problem = build.problem(config)
    arrays = [getattr(problem, field.name) for field in fields(problem)]
    arrays += [getattr(problem.dataset, field.name) for field in fields(problem.dataset)]
    kept = sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
    said = stored_bytes(config.dataset, config.network)
    assert kept <= said <= kept + 2**16
    assert said <= shared_bytes(config.dataset, config.network)


places = st.lists(st.integers(0, 4), max_size=25)


@given(places, st.integers(1, 6))
def test_tables_that_live_together_are_counted_as_a_simulation_counts_them(order, alive):
    sizes = {problem: 10**problem for problem in range(5)}
    largest = 0
    for now in range(len(order)):
        # A trial is still there if fewer than `alive` were handed out after it.
        there = range(max(0, now - alive + 1), now + 1)
        first, last = max(0, now - alive + 1), now
        living = {
            problem
            for problem in set(order)
            if order.index(problem) <= last and len(order) - 1 - order[::-1].index(problem) >= first
        }
        assert living >= {order[place] for place in there}
        largest = max(largest, sum(sizes[problem] for problem in living))
    assert most_together(order, sizes, alive) == largest


def test_sizes_of_networks_beyond_all_machines_are_no_work():
    config = trial(hidden=60)
    assert memory_of([config]).shared > 2**67
    assert stored_bytes(config.dataset, config.network) > 2**67


def test_this_machine_has_memory_and_an_object_store_in_it():
    machine = this_machine()
    assert 0 < machine.object_store_bytes < machine.memory_bytes
    assert machine == Machine(machine.memory_bytes, machine.object_store_bytes)


@pytest.mark.parametrize(("available", "slots"), [(130, 3), (129, 2), (100, 1), (0, 1)])
def test_trials_at_once_share_what_the_tables_leave(available, slots):
    assert Memory(trial=10, shared=100).trials_at_once(available) == slots


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (2**20, "1 MiB"),
        (3 * 2**29, "1.5 GiB"),
        (2**74, "16384 EiB"),
    ],
)
def test_sizes_as_people_say_them(n_bytes, text):
    assert size_text(n_bytes) == text
