"""The two entry points of compiled code: a circuit's distribution, and its gradient.

Layer by layer the circuit is R_Y, R_Z, CNOTs, R_Y, …: the first R_Y layer makes a product state,
an R_Z layer travels with the CNOTs that follow it, and the last R_Z layer is left out, because
no probability depends on it.
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
    """Everything that the two passes write, allocated once; n is the number of index bits."""

    ket_re: FloatArray
    ket_im: FloatArray
    bra_re: FloatArray
    bra_im: FloatArray
    probabilities: FloatArray
    trigonometry: FloatArray  # (3, depth, n): cos θ/2, sin θ/2 and φ of the qubit at each bit
    high: FloatArray  # (depth, 2, 2^(n−7)): phases; entry [depth − 1, 0] the first layer's states
    low: FloatArray  # (depth, 2, 128): likewise for bits 0 to 6
    sums: FloatArray  # (2^(n−3),)
    scratch_high: FloatArray  # (2^(n−7),)
    scratch_low: FloatArray  # (128,)
    gradient: FloatArray  # (depth, 2, n), by bit


@kernel
def _read_angles(angles: Any, trigonometry: Any) -> None:
    """Angles by qubit to half angles by bit; bits above the qubits do nothing."""
    depth, _, n_qubits = angles.shape
    # cos 0 and sin 0: no pass needs a case of its own for the bits above the qubits.
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
    return w.high[layer, 0], w.high[layer, 1], w.low[layer, 0], w.low[layer, 1]


def _compile(sources: str) -> tuple[Any, Any]:
    @entry
    def forward(angles: Any, w: Any, plan: Any) -> None:
        """Fill ``w.probabilities`` for ``angles`` of shape (depth, 2, N)."""
        sources  # noqa: B018  (part of the cache key)
        depth = angles.shape[0]
        n_bits = w.trigonometry.shape[2]
        _read_angles(angles, w.trigonometry)
        cosines, sines, phis = w.trigonometry[0], w.trigonometry[1], w.trigonometry[2]
        # The last R_Z layer is never applied, so its place among the tables is free for these.
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
        """Fill ``result``, shape (depth, 2, N), after `forward`; consumes the state."""
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
            # The ring's CNOT was the last of the layer, so it is the first to be undone.
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
        # The first layer's state is real: the imaginary part of λ adds nothing to its gradient.
        product_gradient(
            w.bra_re,
            w.high[depth - 1, 0],
            w.low[depth - 1, 0],
            w.scratch_high,
            w.scratch_low,
            w.gradient[0, 0],
        )
        # Passes count bits and callers count qubits, from opposite ends of the index.
        for layer in range(depth):
            for kind in range(2):
                for qubit in range(n_qubits):
                    result[layer, kind, qubit] = w.gradient[layer, kind, n_qubits - 1 - qubit]

    return forward, backward


forward, backward = _compile(SOURCES)
