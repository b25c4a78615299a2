"""Which variables the processes of a part get, and which ones a client needs.

Nothing is inherited that is not named here: a provider's token in the terminal of whoever starts
the cluster must reach the gateway alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from topology.place import Place

#: The name of the user of the MLflow server.
USER = "qhn"
_INHERITED = ("HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_INHERITED_PREFIXES = ("LC_", "NUMBA_", "OMP_", "OPENBLAS_", "MKL_", "PYTHON")
_HERE = Path(__file__).parent.parent
#: What every node of Ray gets, on one machine and on several.
NODE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # The port with its metrics asks nobody for the token.
    "RAY_enable_metrics_collection": "false",
    # A node that gets SIGTERM takes no more trials, and leaves when it is idle, or after this time.
    # Schedulers send SIGKILL after 30 s, and the trials that still run then have to start again
    # from their checkpoints in any case. `cluster/local stop` waits for longer, too.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "10",
    # Ray's head gives a node up after five questions in a row without an answer. Until then, which
    # by default takes 15 s, it goes on to reserve places for trials on a node that is lost. A node
    # that is only slow has ten seconds for each answer, so that this gives none of these up sooner.
    "RAY_health_check_period_ms": "1000",
}
#: What a node gets as well that listens on 127.0.0.1 only. On Windows and macOS that is the
#: default, hence the name.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def base() -> dict[str, str]:
    """What every part needs of the terminal from which the cluster is started."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    # Programs of the environment that runs this come first, such as those that Ray's jobs call.
    found["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    paths = [str(_HERE), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
    found["PYTHONPATH"] = ":".join(dict.fromkeys(paths))
    return found


def ray(place: Place) -> dict[str, str]:
    """What Ray's servers and clients need."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(place.token_file)}


def store(place: Place) -> dict[str, str]:
    """What every process needs that reads or writes the store."""
    if place.options.store is not None:
        return {"QHN_STORE": place.options.store}
    return {
        "QHN_STORE": f"s3://{place.bucket}/store",
        "AWS_ACCESS_KEY_ID": place.keys.s3_id,
        "AWS_SECRET_ACCESS_KEY": place.keys.s3,
        "AWS_DEFAULT_REGION": place.region,
        "AWS_ENDPOINT_URL_S3": place.url("s3"),
        # Otherwise a client without these variables would look for them in the network of a cloud.
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def tracking(place: Place) -> dict[str, str]:
    """What a driver needs to write to MLflow."""
    return {
        "MLFLOW_TRACKING_URI": place.url("mlflow"),
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": place.keys.mlflow,
    }


def client(place: Place) -> dict[str, str]:
    """All variables that a client needs.

    ``QHN_RAY_ADDRESS`` is for ``qhn sweep run FILE --address``. It is not called RAY_ADDRESS,
    because Ray's client of the job server would take that for the address of the job server.
    """
    return {
        "QHN_ADDRESS": place.url("head", "dashboard"),
        "QHN_RAY_ADDRESS": f"{place.host}:{place.ports['head']['gcs']}",
        **ray(place),
        **tracking(place),
        **store(place),
    }
