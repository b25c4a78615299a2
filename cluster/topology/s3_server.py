"""Serves moto's S3 to those who sign their requests: ``python -m topology.s3_server HOST PORT``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import run_simple

from topology.signatures import Application, Signed


class OneAtATime:
    """An application that answers one request at a time.

    moto looks at the condition of a write and then writes, in two steps. Between them another
    request could write, and two processes would both have a lease of the store.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._answering = threading.Lock()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request."""
        with self._answering:
            return list(self._application(environ, start_response))


def main() -> None:
    """Serve until the process is ended. The secret comes from the environment."""
    host, port = sys.argv[1], int(sys.argv[2])
    # Otherwise every request would be a line of the log.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    region = os.environ["TOPOLOGY_S3_REGION"]
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(os.environ["TOPOLOGY_S3_BUCKET"], region)
    application = Signed(
        OneAtATime(DomainDispatcherApplication(create_backend_app)),
        os.environ["TOPOLOGY_S3_KEY_ID"],
        os.environ["TOPOLOGY_S3_SECRET"],
    )
    run_simple(host, port, application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
