"""Every error that qhn raises on purpose.

::

    QhnError
    ├── InvalidValueError (ValueError)   a value breaks a rule
    ├── SpecError                        a sweep file has mistakes; all of them are listed
    ├── StoreError                       the store cannot be read or written, or is in use
    │   ├── DamagedError                 a file of the store cannot be used
    │   └── NewerFormatError             a file of the store was written by a newer qhn
    ├── TrackingError                    the MLflow store cannot be used
    │   └── OwnerError                   another store writes the sweep to the same experiment
    ├── DivergedError                    a training has reached numbers that are not finite
    ├── RayError                         Ray, which runs the trials, cannot be started
    ├── LaneError                        a job of a queued device cannot be submitted or fetched
    ├── FencedError                      another process has taken over a lane or a sweep
    ├── DeviceError                      a device behind a network cannot be reached or used
    └── NotFoundError                    no sweep or trial has this name

Each message states the rule, then the value that was found, then what the reader can do.
"""

from __future__ import annotations


class QhnError(Exception):
    """The base of all errors of qhn. The command line prints its message without a traceback."""


class InvalidValueError(QhnError, ValueError):
    """A value breaks a rule that the message states."""


class SpecError(QhnError):
    """A sweep file has mistakes; the message lists every one of them."""


class StoreError(QhnError):
    """The store cannot be read or written, or another process is using it."""


class DamagedError(StoreError):
    """A file of the store cannot be used. The next process that trains its trial sets it aside.

    Attributes:
        key: the name of the file in the store.
        why: what is wrong with it, in words that complete "it must be readable, but …".
        digest: SHA-256 of the damaged content; None if no content could be read.
    """

    def __init__(self, key: str, why: str, digest: str | None = None) -> None:
        # Pickle rebuilds an error from its arguments. With all three of them it can be sent from
        # one process to another.
        super().__init__(key, why, digest)
        self.key = key
        self.why = why
        self.digest = digest

    def __str__(self) -> str:
        return (
            f"the store's file {self.key} must be readable, but {self.why}; "
            "run the sweep again: it sets the file aside and computes what the file held again"
        )


class NewerFormatError(StoreError):
    """A file of the store was written by a newer version of qhn. It is left as it is."""


class TrackingError(QhnError):
    """The MLflow tracking store cannot be reached or used."""


class OwnerError(TrackingError):
    """Another store writes a sweep of this name to the same MLflow experiment."""


class DivergedError(QhnError):
    """A training has reached numbers that are not finite, and cannot recover from them."""


class RayError(QhnError):
    """Ray, which runs the trials, cannot be started.

    If Ray stops later, it ends the driver's process as well, and `qhn.cli.supervisor` says so.
    """


class LaneError(QhnError):
    """A job of a queued device cannot be submitted or fetched, in the provider's words.

    The trial that wanted it fails. Other trials go on.
    """


class FencedError(QhnError):
    """Another process has taken over a lane or a sweep. This one may write nothing more of it."""


class DeviceError(QhnError):
    """A device behind a network cannot be reached or used, in the provider's words."""


class NotFoundError(QhnError):
    """No sweep or trial has the name that was asked for."""
