"""Claims a sweep in the tags of its MLflow experiment, and renews the claim as time goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from uuid import uuid4

from qhn.core.errors import TrackingError
from qhn.sweeps.store import SweepStore
from qhn.sweeps.tracking.claims import CLAIM_TAG, Claim, claims_in
from qhn.sweeps.tracking.experiment import Experiment
from qhn.sweeps.tracking.failures import tracking_errors
from qhn.sweeps.tracking.lease import RENEW_S, Lease
from qhn.sweeps.tracking.location import TrackingLocation

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_log = logging.getLogger(__name__)
# After a renewal has failed. It must be short, so that writing goes on soon after an outage.
_AGAIN_AFTER_S = 2.0


class ExperimentClaims:
    """The claims in the tags of an experiment, see `Claims`."""

    def __init__(self, client: MlflowClient, experiment: str, location: TrackingLocation) -> None:
        self._client = client
        self._experiment = experiment
        self._location = location

    def read(self) -> dict[str, Claim]:
        """See `Claims.read`."""
        with tracking_errors(self._location):
            return claims_in(self._client.get_experiment(self._experiment).tags)

    def put(self, claim: Claim) -> None:
        """See `Claims.put`."""
        with tracking_errors(self._location):
            self._client.set_experiment_tag(self._experiment, claim.tag, claim.to_text())

    def remove(self, token: str) -> None:
        """See `Claims.remove`."""
        from mlflow.exceptions import MlflowException

        tag = CLAIM_TAG + token
        with tracking_errors(self._location):
            try:
                self._client.delete_experiment_tag(self._experiment, tag)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return  # it is gone
                # Servers older than MLflow 3 cannot delete a tag. The empty text is no claim.
                self._client.set_experiment_tag(self._experiment, tag, "")


class Renewal:
    """A thread that renews a lease until it is released."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="qhn-owner", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """End the thread and release the lease. A renewal that is under way is waited for."""
        self._ended.set()
        self._lease.release()

    def _work(self) -> None:
        wait = RENEW_S
        while not self._ended.wait(wait):
            try:
                self._lease.renew()
                wait = RENEW_S
            except TrackingError as error:
                if wait == RENEW_S:
                    _log.warning("%s; trying again every %.0f s", error, _AGAIN_AFTER_S)
                wait = _AGAIN_AFTER_S


def own(experiment: Experiment, location: TrackingLocation, kept: SweepStore) -> Renewal:
    """Own the sweep of an experiment, so that no other store writes it at the same time.

    The caller must hold the store's lock of the writer (`SweepStore.tracking_lock`). So all former
    writers of this store have ended, and their claims count no more.

    Args:
        experiment: the experiment. From now on it refuses requests that write while the sweep is
            not owned.
        location: the tracking store.
        kept: the sweep in its store, which remembers the tokens of its claims. A copy of the store
            does not have the token of a claim that is made later, and so counts as another store.

    Returns:
        What renews the claim. It must be released in the end.

    Raises:
        OwnerError: if another store writes the sweep.
        TrackingError: if the tracking store cannot be used.
        StoreError: if the store cannot be written.
    """
    claims = ExperimentClaims(experiment.client, experiment.id, location)
    former, token = kept.claim_tokens(), uuid4().hex
    kept.save_claim_tokens([*former, token])
    place, store = location.shown, kept.shown_store
    lease = Lease(claims, kept.name, place, store, token, former, recovered=experiment.doubt)
    lease.acquire(claims_in(experiment.tags))
    kept.save_claim_tokens([token])
    experiment.may_write = lease.check
    return Renewal(lease)


def check_unowned(
    tags: Mapping[str, str], location: TrackingLocation, sweep: str, own_tokens: Collection[str]
) -> None:
    """Check that no other store writes a sweep, as far as a first look can tell.

    Args:
        tags: the tags of the sweep's experiment.
        location: the tracking store.
        sweep: the name of the sweep.
        own_tokens: the tokens of the caller's store (`SweepStore.claim_tokens`). The caller must
            hold the lock of that store's writer.

    Raises:
        OwnerError: if another store writes the sweep.
    """
    now_ms = int(time.time() * 1000)
    for claim in claims_in(tags).values():
        if claim.token not in own_tokens and claim.looks_alive(now_ms):
            raise claim.refusal(sweep, location.shown, now_ms)
