"""Every error that qhn raises on purpose.

::

    QhnError
    ├── InvalidValueError (ValueError)   a value breaks a rule
    ├── SpecError                        a sweep file has mistakes; all of them are listed
    ├── StoreError                       the store cannot be read or written, or is in use
    ├── TrackingError                    the MLflow store cannot be used
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


class TrackingError(QhnError):
    """The tracking store cannot be reached or used."""


class NotFoundError(QhnError):
    """No sweep or trial has the name that was asked for."""
