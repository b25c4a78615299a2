"""The two entry points of compiled code: a circuit's distribution, and its gradient.

A circuit is a sequence of layers: R_Y, R_Z, CNOTs, R_Y, R_Z and so on. Three things save work.
The first R_Y layer makes a product state, which is filled in directly. Each R_Z layer is applied
in the same pass as the CNOTs that follow it. The last R_Z layer is left out, because no
probability depends on it.

The gradient is computed by adjoint (reverse-mode) differentiation. From ψ and the adjoint state
λ = Oψ the layers are undone one by one, and each adds the gradients of its angles (Jones and Gacon,
arXiv 2009.02823). Names: ``ket`` is ψ, ``bra`` is λ, each a pair of real and imaginary parts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.engine.entangling import close_ring, disentangle, entangle, phase_gradient
from qhn.core.engine.measurement import measure, measure_entangled, weigh, weigh_entangled
from qhn.core.engine.product import fill_state, product_gradient
from qhn.core.engine.rotation import rotate_layer
from qhn.core.engine.tables import LOW, fill_phases, fill_product
from qhn.core.engine.unrotation import unrotate_layer
from qhn.core.simd.compiled import SOURCES, entry, kernel


class Workspace(NamedTuple):
    """Everything that the two entry points write, allocated once. n is the number of index bits."""

    ket_re: FloatArray
    ket_im: FloatArray
    bra_re: FloatArray
    bra_im: FloatArray
    probabilities: FloatArray
    trigonometry: FloatArray  # (3, depth, n): cos θ/2, sin θ/2 and φ of the qubit at each bit
    # Each layer's phases as two tables (`tables`), real and imaginary part. The last layer needs no
    # phases, so its first entry holds the tables of the product state of the first layer.
    high: FloatArray  # (depth, 2, 2^(n−7)), for bits 7 to n − 1
    low: FloatArray  # (depth, 2, 128), for bits 0 to 6
    sums: FloatArray  # (2^(n−3),)
    scratch_high: FloatArray  # (2^(n−7),)
    scratch_low: FloatArray  # (128,)
    gradient: FloatArray  # (depth, 2, n), by bit


@kernel
def _read_angles(angles: Any, trigonometry: Any) -> None:
    """Turn angles by qubit into cosines and sines by bit of the index.

    A register may have more bits than the circuit has qubits. These highest bits get the angle 0.
    """
    depth, _, n_qubits = angles.shape
    # With cos 0 = 1 and sin 0 = 0 a rotation changes nothing, so that no pass needs a case of its
    # own for the bits above the qubits.
    trigonometry[0] = 1.0
    trigonometry[1:] = 0.0
    for layer in range(depth):
        for qubit in range(n_qubits):
            bit = n_qubits - 1 - qubit
            trigonometry[0, layer, bit] = np.cos(angles[layer, 0, qubit] / 2)
            trigonometry[1, layer, bit] = np.sin(angles[layer, 0, qubit] / 2)
            trigonometry[2, layer, bit] = angles[layer, 1, qubit]


@kernel
def _phases(w: Any, layer: int) -> Any:
    """The phases of a layer's R_Z, in the order that `entangling.phase_at` takes."""
    return w.high[layer, 0], w.high[layer, 1], w.low[layer, 0], w.low[layer, 1]


# The entry points are made in a function, so that they have a closure. Numba includes its values in
# the key of the cache, and the digest of all sources must be in that key (see `compiled`).
def _compile(sources: str) -> tuple[Any, Any]:
    @entry
    def forward(angles: Any, w: Any, plan: Any) -> None:
        """Fill ``w.probabilities`` for ``angles`` of shape (depth, 2, N)."""
        sources  # noqa: B018  (part of the cache key)
        depth = angles.shape[0]
        n_bits = w.trigonometry.shape[2]
        _read_angles(angles, w.trigonometry)
        cosines, sines, phis = w.trigonometry[0], w.trigonometry[1], w.trigonometry[2]
        # The last R_Z layer is never applied, so its tables are free to hold the product state.
        fill_product(w.low[depth - 1, 0], cosines[0], sines[0], 0, LOW)
        fill_product(w.high[depth - 1, 0], cosines[0], sines[0], LOW, n_bits)
        fill_state(w.ket_re, w.ket_im, w.high[depth - 1, 0], w.low[depth - 1, 0])
        for layer in range(1, depth):
            fill_phases(w.low[layer - 1, 0], w.low[layer - 1, 1], phis[layer - 1], 0, LOW)
            fill_phases(w.high[layer - 1, 0], w.high[layer - 1, 1], phis[layer - 1], LOW, n_bits)
            p = plan.of_layer[layer - 1]
            entangle(
                w.ket_re,
                w.ket_im,
                _phases(w, layer - 1),
                plan.cycles[p],
                plan.lengths[p],
                plan.elements[p],
            )
            if plan.ring[p] != 0:
                close_ring(w.ket_re, plan.ring[p])
                close_ring(w.ket_im, plan.ring[p])
            rotate_layer(w.ket_re, n_bits, cosines[layer], sines[layer])
            rotate_layer(w.ket_im, n_bits, cosines[layer], sines[layer])
        p = plan.of_layer[depth - 1]
        if p < 0:
            measure(w.ket_re, w.ket_im, w.probabilities)
        else:
            measure_entangled(
                w.ket_re,
                w.ket_im,
                w.probabilities,
                plan.cycles[p],
                plan.lengths[p],
                plan.elements[p],
                plan.ring[p],
            )

    @entry
    def backward(observable: Any, w: Any, plan: Any, result: Any) -> None:
        """Fill ``result``, shape (depth, 2, N), after `forward`. The state is used up."""
        sources  # noqa: B018
        depth, _, n_qubits = result.shape
        n_bits = w.trigonometry.shape[2]
        cosines, sines = w.trigonometry[0], w.trigonometry[1]
        ket = w.ket_re, w.ket_im
        bra = w.bra_re, w.bra_im
        p = plan.of_layer[depth - 1]
        if p < 0:
            weigh(ket, bra, observable)
        else:
            weigh_entangled(
                ket,
                bra,
                observable,
                plan.cycles[p],
                plan.lengths[p],
                plan.elements[p],
                plan.ring[p],
            )
        w.gradient[:] = 0.0
        for layer in range(depth - 1, 0, -1):
            by_bit = w.gradient[layer, 0]
            unrotate_layer(w.ket_re, w.bra_re, n_bits, cosines[layer], sines[layer], by_bit)
            unrotate_layer(w.ket_im, w.bra_im, n_bits, cosines[layer], sines[layer], by_bit)
            p = plan.of_layer[layer - 1]
            # The closing CNOT of a ring was the last one of its layer, so it is undone first.
            if plan.ring[p] != 0:
                for part in (w.ket_re, w.ket_im, w.bra_re, w.bra_im):
                    close_ring(part, plan.ring[p])
            disentangle(
                ket,
                bra,
                _phases(w, layer - 1),
                plan.cycles[p],
                plan.lengths[p],
                plan.elements[p],
                w.sums,
                w.scratch_low,
            )
            phase_gradient(w.sums, w.scratch_low, n_bits, w.gradient[layer - 1, 1])
        # The state after the first layer is real, so the imaginary part of λ adds nothing to the
        # gradient of that layer.
        product_gradient(
            w.bra_re,
            w.high[depth - 1, 0],
            w.low[depth - 1, 0],
            w.scratch_high,
            w.scratch_low,
            w.gradient[0, 0],
        )
        # Passes count bits from the low end of the index; callers count qubits from its high end.
        for layer in range(depth):
            for kind in range(2):
                for qubit in range(n_qubits):
                    result[layer, kind, qubit] = w.gradient[layer, kind, n_qubits - 1 - qubit]

    return forward, backward


forward, backward = _compile(SOURCES)
