"""Values of trials that a report computes from their trained distributions."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.errors import DivergedError
from qhn.core.objectives.kale import kale
from qhn.core.objectives.objective import Objective
from qhn.reports.problems import Problems
from qhn.reports.tables import KALE_REFERENCE, KL_TO_POSTERIOR, MMD2_REFERENCE, Computed
from qhn.sweeps.results.posteriors import Posteriors
from qhn.sweeps.results.table import Row

#: With more trials than this, what needs the distribution of each of them is left out.
MOST_TRIALS = 20_000


def computed_values(
    rows: Iterable[Row],
    posteriors: Posteriors,
    problems: Problems,
    kale_regularisation: float | None = None,
) -> Computed:
    """MMD² at one reference bandwidth, and KL to the exact posterior, of each trial.

    The bandwidth of the reference is h = N/4, whatever h a trial was trained with: values for
    different h are different quantities and cannot be compared. The exact posterior is

        p(σ) ∝ exp(−n · nll(σ)),

    with the uniform prior and n training points. The divergence is KL(q‖p) in nats, which the ELBO
    with λ = 1 minimises.

    KALE is that of the same bandwidth with one regularisation, for all trials.

    Args:
        rows: the rows of one or several sweeps.
        posteriors: computes the distributions. Trials without one are left out, and those on
            devices that sample or have noise.
        problems: makes the loss tables. Where a table would be too large, KL is left out.
        kale_regularisation: α of KALE; None if it is not asked for. Where it cannot be computed, it
            is left out.
    """
    trials = [row for row in rows if row.result is not None]
    if len(trials) > MOST_TRIALS:
        return {}
    found: dict[str, dict[str, float]] = {}
    references: dict[int, Objective] = {}
    for row in trials:
        if not row.trial.config.device.capabilities.tells_probabilities:
            # That of the ideal circuit would be another quantity than the trial's own MMD².
            continue
        q = posteriors.of(row)
        if q is None:
            continue
        n = row.trial.config.n_qubits
        if n not in references:
            # Only the term of the prior is asked for, so that the losses do not matter.
            references[n] = Objective("selbo", np.zeros(2**n), 1, n / 4)
        values = {MMD2_REFERENCE: references[n].terms(q).mmd2}
        if kale_regularisation is not None:
            with suppress(DivergedError):
                values[KALE_REFERENCE] = kale(q, n / 4, kale_regularisation)[0]
        log_posterior = problems.log_posterior(row.trial.config)
        if log_posterior is not None:
            values[KL_TO_POSTERIOR] = relative_entropy(q, log_posterior)
        found[row.trial.trial_id] = values
    return found


def relative_entropy(q: FloatArray, log_p: FloatArray) -> float:
    """KL(q‖p) = Σ q (ln q − ln p) in nats.

    Args:
        q: a distribution, shape ``(2^N,)``. Where it is 0, the term is 0.
        log_p: the natural logarithm of p, shape ``(2^N,)``.
    """
    positive = q > 0
    logs = np.log(q, out=np.zeros_like(q), where=positive)
    return max(0.0, float(np.einsum("i,i->", q, logs - log_p)))
