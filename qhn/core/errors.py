"""Every error that qhn raises on purpose.

::

    QhnError
    ├── InvalidValueError (ValueError)   a value breaks a rule
    ├── SpecError                        a sweep file has mistakes; all of them are listed
    ├── StoreError                       the store cannot be read or written, or is in use
    │   ├── DamagedError                 one file of the store cannot be used
    │   └── NewerFormatError             one file of the store is of a newer qhn
    ├── TrackingError                    the MLflow store cannot be used
    ├── DivergedError                    a training has come to numbers that are not finite
    ├── RayError                         Ray, which runs the trials, cannot be started
    └── NotFoundError                    no sweep or trial has that name

A message states the rule, then the value it got, then the way out.
"""

from __future__ import annotations


class QhnError(Exception):
    """Root of the tree: the command line prints its message without a traceback."""


class InvalidValueError(QhnError, ValueError):
    """A value breaks a rule that the message states."""


class SpecError(QhnError):
    """A sweep file has mistakes; the message lists every one of them."""


class StoreError(QhnError):
    """The store cannot be read or written, or another process is using it."""


class DamagedError(StoreError):
    """One file of the store cannot be used; whoever trains its trial next sets it aside.

    Attributes:
        key: name of the file in the store.
        why: what is wrong with it, in words that complete "it must be readable, but".
        digest: of the content that was found damaged, where there was any to be read.
    """

    def __init__(self, key: str, why: str, digest: str | None = None) -> None:
        # Handed on whole, so that the error can travel between processes.
        super().__init__(key, why, digest)
        self.key = key
        self.why = why
        self.digest = digest

    def __str__(self) -> str:
        return (
            f"the store's file {self.key} must be readable, but {self.why}; "
            "run the sweep again: the file is set aside, and what it held is made anew"
        )


class NewerFormatError(StoreError):
    """One file of the store was written by a newer version, and is left as it is."""


class TrackingError(QhnError):
    """The tracking store cannot be reached or used."""


class DivergedError(QhnError):
    """A training has come to numbers that are not finite, from which it cannot come back."""


class RayError(QhnError):
    """Ray, which runs the trials, cannot be started.

    If it stops later it takes this process with it, and `qhn.cli.supervisor` says so.
    """


class NotFoundError(QhnError):
    """No sweep or trial has the name that was asked for."""
