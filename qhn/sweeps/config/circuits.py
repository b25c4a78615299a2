"""How many circuits a training step runs, and how often they are executed."""

from __future__ import annotations

from qhn.sweeps.config.devices import DeviceConfig


def circuits(device: DeviceConfig, depth: int, n_qubits: int) -> int:
    """How many circuits a training step runs; 1 on a device that gives the whole distribution.

    Args:
        device: the device.
        depth: the number of layers.
        n_qubits: N.
    """
    if device.capabilities.distribution:
        return 1
    if device.sample_estimator == "spsa":
        return 2
    # The circuit itself, and two for each angle but the last R_Z angles; see
    # `qhn.core.estimators.shift`.
    return 1 + 2 * (2 * depth - 1) * n_qubits


def most_executions(device: DeviceConfig, depth: int, n_qubits: int) -> int:
    """How often circuits are executed in the largest step: circuits times shots; 0 without shots.

    Args:
        device: the device.
        depth: the number of layers.
        n_qubits: N.
    """
    sets = circuits(device, depth, n_qubits)
    if device.sample_estimator == "spsa":
        # A step with a report takes a third circuit.
        sets += 1
    return sets * (device.capabilities.shots or 0)
