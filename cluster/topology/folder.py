"""The private folder of a cluster."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from topology.errors import TopologyError
from topology.keys import make_keys
from topology.state import LOCK

# Ray makes Unix sockets below its folder, and the path of a socket may have at most 107 characters.
_LONGEST = 32
_INNER = ("logs", "ray", "mlflow")


def default_folder() -> Path:
    """The folder of the cluster that has no other name: one for each user."""
    return Path("/tmp") / f"qhn-cluster-{os.getuid()}"


def checked(folder: Path) -> Path:
    """The whole path of a folder that a cluster can have.

    Raises:
        TopologyError: if the path is too long, or is not a folder of this user.
    """
    folder = folder.absolute()
    if len(str(folder)) > _LONGEST:
        raise TopologyError(
            f"the path of the cluster's folder must have at most {_LONGEST} characters, because "
            f"Ray's sockets are below it, but got {folder}; name another folder with --dir"
        )
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return folder
    except OSError as error:
        raise _unusable(folder, error) from None
    # In a folder like /tmp, somebody else may have made it.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise TopologyError(
            f"the cluster's folder {folder} must be a folder of yours, but it is not; name another "
            "folder with --dir"
        )
    if any(folder.iterdir()) and not (folder / LOCK).exists():
        raise TopologyError(
            f"the cluster's folder {folder} must be empty or new, but it has files that "
            "cluster/local did not write; name another folder with --dir"
        )
    return folder


def opened(folder: Path) -> None:
    """Make the folder, if it is new, so that only this user can read it.

    Raises:
        TopologyError: if it cannot be made.
    """
    try:
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            # A user of the database may pass through it, but nobody can list it.
            folder.chmod(folder.stat().st_mode & 0o710)
        (folder / LOCK).touch(mode=0o600)
    except OSError as error:
        raise _unusable(folder, error) from None


def made_anew(folder: Path) -> None:
    """Delete what an earlier cluster has left in the folder, and make new secrets."""
    for path in folder.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in _INNER:
        (folder / name).mkdir(mode=0o700)
    make_keys(folder)


def _unusable(folder: Path, error: OSError) -> TopologyError:
    return TopologyError(
        f"the cluster's folder must be one that can be made and written, but {folder} cannot be "
        f"({error.strerror}); name another folder with --dir"
    )
