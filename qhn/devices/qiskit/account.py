"""Reaching the IBM Quantum Platform, with credentials that never leave this process.

Qiskit itself finds the token, in its account file or its environment variables. It is read here
for one purpose: to take it out of the texts of errors, which end up in logs and in the store.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from qhn.core.errors import DeviceError
from qhn.devices.qiskit.access import RuntimeAccess

_HIDDEN = "(hidden)"
# Shorter texts are no tokens, and would be found in ordinary words.
_SHORTEST_SECRET = 8


def connect(access: RuntimeAccess) -> Any:
    """A service of Qiskit Runtime, which speaks to the IBM Quantum Platform.

    Raises:
        DeviceError: if there are no credentials, if they are refused, or if the platform cannot be
            reached.
    """
    from qiskit_ibm_runtime import QiskitRuntimeService

    with without_secrets():
        try:
            return QiskitRuntimeService(name=access.account, instance=access.instance)
        # Wrong credentials, a wrong instance and a network that is down raise a dozen different
        # errors, among them AttributeError for an instance that is no CRN.
        except Exception as error:  # noqa: BLE001
            which = f" of the account {access.account}" if access.account else ""
            raise DeviceError(
                f"the IBM Quantum Platform must accept Qiskit's credentials{which}, but it says: "
                f"{words_of(error)}; save them with QiskitRuntimeService.save_account, or set "
                "QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE"
            ) from None


def words_of(error: BaseException) -> str:
    """An error's class and text on one line, without the quotes and the stop around it."""
    text = " ".join(str(error).split()).strip("'\"").removesuffix(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def without_secrets() -> Iterator[None]:
    """Replace an error whose text has a token in it by one that has not.

    The text keeps the class of the error and the rest of its words, from which
    `qhn.lanes.failures` tells what to do. All other errors pass as they are.

    Raises:
        DeviceError: in place of an error with a token in its text.
    """
    try:
        yield
    except Exception as error:
        text = words_of(error)
        clean = text
        for secret in _secrets():
            clean = clean.replace(secret, _HIDDEN)
        if clean == text:
            raise
        # `from None`: a traceback would print the text of the cause.
        raise DeviceError(clean) from None


def _secrets() -> set[str]:
    """All tokens that Qiskit could have used."""
    found = {os.environ.get("QISKIT_IBM_TOKEN")}
    # A file that cannot be read was of no use to Qiskit either.
    with suppress(Exception):
        from qiskit_ibm_runtime import QiskitRuntimeService

        found |= {saved.get("token") for saved in QiskitRuntimeService.saved_accounts().values()}
    return {secret for secret in found if secret and len(secret) >= _SHORTEST_SECRET}
