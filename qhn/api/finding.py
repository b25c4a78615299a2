"""Finds a trial in a store by its id, or by the first digits of its id."""

from __future__ import annotations

import re

from qhn.core.errors import InvalidValueError, NotFoundError, QhnError
from qhn.sweeps.config.trial import ID_LENGTH, TrialConfig
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.store import Store

_FEWEST_DIGITS = 6
_DIGITS = re.compile(rf"[0-9a-f]{{{_FEWEST_DIGITS},{ID_LENGTH}}}")
_MOST_LISTED = 10


def find_trial(store: Store, trial_id: str) -> TrialConfig:
    """The configuration of the trial with an id, or with an id that begins like this.

    First the trials are searched that have a folder in the store, and then the trials that the
    sweeps of the store plan. A trial that waits, or that failed before it began, has no folder.

    Args:
        store: where trials are kept.
        trial_id: 6 to 16 hexadecimal digits.

    Raises:
        InvalidValueError: if it cannot be the beginning of an id, or if several ids begin with it.
        NotFoundError: if the store has no such trial.
        DamagedError: if the configuration of the trial cannot be read, and no sweep plans it.
    """
    if not isinstance(trial_id, str) or not _DIGITS.fullmatch(trial_id):
        raise InvalidValueError(
            f"a trial id must be {ID_LENGTH} hexadecimal digits, of which the first "
            f"{_FEWEST_DIGITS} may be enough, but got {trial_id!r}"
        )
    unreadable: QhnError | None = None
    found: dict[str, TrialConfig] = {}
    # Only the beginning of an id needs a list of all trials, of which there may be thousands.
    whole = len(trial_id) == ID_LENGTH
    for folder in [trial_id] if whole else store.trial_ids(trial_id):
        try:
            # The folder may have a former id of the trial. The present one follows from the
            # configuration.
            config = TrialConfig.from_json(store.config(folder))
            found[config.trial_id] = config
        except (NotFoundError, InvalidValueError):
            continue
        except QhnError as error:
            unreadable = error
    found = found or _planned(store, trial_id)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        listed = ", ".join(sorted(found)[:_MOST_LISTED])
        more = f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
        raise InvalidValueError(
            f"the beginning of a trial id must be that of one trial, but {trial_id!r} is that of "
            f"{listed}{more}; give more digits"
        )
    raise unreadable or NotFoundError(
        f"no trial {trial_id!r} is in the store {store.shown}, and no sweep there plans it; "
        "`qhn.results(NAME)` has the ids of a sweep's trials"
    )


def _planned(store: Store, beginning: str) -> dict[str, TrialConfig]:
    found: dict[str, TrialConfig] = {}
    for sweep in store.sweeps():
        try:
            plan = stored_plan(sweep)
        except QhnError:  # another version of qhn has written the file, or it is damaged
            continue
        found |= {t.trial_id: t.config for t in plan.trials if t.trial_id.startswith(beginning)}
    return found
