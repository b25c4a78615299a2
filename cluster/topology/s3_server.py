"""Serves moto's S3 to those who sign their requests: ``python -m topology.s3_server HOST PORT``."""

from __future__ import annotations

import logging
import os
import sys

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import run_simple

from topology.signatures import Signed


def main() -> None:
    """Serve until the process is ended. The secret comes from the environment."""
    host, port = sys.argv[1], int(sys.argv[2])
    # Otherwise every request would be a line of the log.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    region = os.environ["TOPOLOGY_S3_REGION"]
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(os.environ["TOPOLOGY_S3_BUCKET"], region)
    application = Signed(
        DomainDispatcherApplication(create_backend_app),
        os.environ["TOPOLOGY_S3_KEY_ID"],
        os.environ["TOPOLOGY_S3_SECRET"],
    )
    run_simple(host, port, application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
