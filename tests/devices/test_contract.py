"""What every device handle must do, run over every device there is."""

import numpy as np
import pytest

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.devices import DeviceHandle, open_device

ANSATZ = Ansatz.ring(n_qubits=3, depth=2)
ANGLES = np.random.default_rng(1).uniform(0, 2 * np.pi, ANSATZ.parameter_shape)


@pytest.fixture(params=["exact"])
def device(request):
    with open_device(request.param, ANSATZ) as handle:
        assert handle.name == request.param
        yield handle


class TestDeviceHandle:
    def test_is_a_handle_of_its_circuit(self, device):
        assert isinstance(device, DeviceHandle)
        assert device.ansatz == ANSATZ
        assert isinstance(device.exact, bool)

    def test_gives_a_distribution(self, device):
        q = device.probabilities(ANGLES)
        assert q.shape == (8,)
        assert (q >= 0).all()
        assert q.sum() == pytest.approx(1.0, abs=1e-12 if device.exact else 1e-9)

    def test_gradient_is_that_of_the_expectation(self, device):
        observable = np.random.default_rng(2).standard_normal(8)
        device.probabilities(ANGLES)
        gradient = device.gradient(observable).copy()
        assert gradient.shape == ANSATZ.parameter_shape

        def expectation(angles):
            return device.probabilities(angles) @ observable

        for place in np.ndindex(*ANSATZ.parameter_shape):
            shift = np.zeros(ANSATZ.parameter_shape)
            shift[place] = np.pi / 2
            # The parameter-shift rule is exact for rotations.
            shifted = (expectation(ANGLES + shift) - expectation(ANGLES - shift)) / 2
            assert gradient[place] == pytest.approx(shifted, abs=1e-12)

    def test_same_angles_same_bits(self, device):
        first = device.probabilities(ANGLES).copy()
        device.probabilities(ANGLES + 0.1)
        device.gradient(np.arange(8.0))
        assert np.array_equal(device.probabilities(ANGLES), first)

    def test_closes_once_and_for_all(self, device):
        device.close()
        device.close()
        with pytest.raises(InvalidValueError, match="open"):
            device.probabilities(ANGLES)
        with pytest.raises(InvalidValueError, match="open"):
            device.gradient(np.zeros(8))


def test_unknown_devices_are_named():
    with pytest.raises(InvalidValueError, match="one of exact, but got 'quantum'"):
        open_device("quantum", ANSATZ)
