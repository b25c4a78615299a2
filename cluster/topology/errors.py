"""The error of `cluster/local`."""

from __future__ import annotations


class TopologyError(Exception):
    """The cluster cannot be started or changed. The message says what helps."""


class NotYetError(Exception):
    """A part of the cluster does not answer yet, or not as it should. The message says how."""
