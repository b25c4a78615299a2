"""Images of the MNIST family as points: binarised, and averaged to 4 × 4 numbers.

MNIST (LeCun, Bottou, Bengio, Haffner 1998) and Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv
1708.07747) have 70,000 images of 28 × 28 pixels in ten classes. They come from OpenML, where
scikit-learn's client keeps what it has fetched, or from files of this machine.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qhn.core.data.datasets import Classes
from qhn.core.data.point_sets import PointSet, check_points
from qhn.core.errors import InvalidValueError, NotFoundError

#: The names of the data sets on OpenML.
ON_OPENML = {"mnist": "mnist_784", "fashion_mnist": "Fashion-MNIST"}
_SIDE, _POOLED = 28, 4
_BRIGHT = 127
_IMAGES, _LABELS = 0x803, 0x801

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read_images(name: str, classes: Classes, path: Path | None = None) -> PointSet:
    """The images of two classes as points with 16 coordinates in [−1, 1].

    A pixel is bright if it is above 127. A coordinate is the share of bright pixels among 7 × 7,
    from −1 for none to 1 for all.

    Args:
        name: ``mnist`` or ``fashion_mnist``.
        classes: the two classes, of which the second one is class 1.
        path: a file with images in the IDX format (``…images-idx3-ubyte``, with its labels in
            ``…labels-idx1-ubyte`` beside it, both also compressed with gzip), or an ARFF file as
            on OpenML; None to fetch them from OpenML.

    Raises:
        NotFoundError: if they cannot be fetched, or there is no such file.
        InvalidValueError: if a file is of another kind.
    """
    images, labels = _fetched(name) if path is None else _of_file(path)
    chosen = np.isin(labels, classes)
    bright = images[chosen].reshape(-1, _SIDE, _SIDE) > _BRIGHT
    size = _SIDE // _POOLED
    shares = bright.reshape(-1, _POOLED, size, _POOLED, size).mean(axis=(2, 4))
    if not len(shares):
        raise InvalidValueError(f"{path or name} has no images of the classes {list(classes)}")
    x = 2.0 * shares.reshape(-1, _POOLED**2) - 1.0
    return check_points(x, (labels[chosen] == classes[1]).astype(np.float64))


def _fetched(name: str) -> Images:
    from sklearn.datasets import fetch_openml

    way_out = (
        f"fetch it once where there is a network, or give a local file, {{name: {name}, "
        "path: FILE}, in the IDX or ARFF format"
    )
    try:
        x, y = fetch_openml(
            ON_OPENML[name],
            version=1,
            return_X_y=True,
            as_frame=False,
            parser="liac-arff",
            n_retries=1,
        )
    except Exception as error:  # noqa: BLE001 - what is raised depends on the network
        raise NotFoundError(
            f"{name} must be in scikit-learn's cache or be fetched from OpenML, but that failed "
            f"({str(error).strip() or type(error).__name__}); {way_out}"
        ) from None
    return _checked(np.asarray(x), np.asarray(y), Path(ON_OPENML[name]))


def _of_file(path: Path) -> Images:
    if not path.is_file():
        raise NotFoundError(f"images are read from a file, but there is no {path}")
    if path.suffix.lower() == ".arff":
        return _arff(path)
    labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels == path or not labels.is_file():
        raise NotFoundError(
            f"the labels of the images in {path} must be in a file beside it whose name has "
            "labels-idx1 in place of images-idx3, but there is none"
        )
    images = _idx(path, _IMAGES, 3)
    return _checked(images.reshape(len(images), -1), _idx(labels, _LABELS, 1), path)


def _idx(path: Path, magic: int, dimensions: int) -> NDArray[np.uint8]:
    """The array in a file in the IDX format."""
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        found, *shape = struct.unpack_from(f">{1 + dimensions}I", content)
        array = np.frombuffer(content, dtype=np.uint8, offset=4 * (1 + dimensions))
        if found != magic:
            raise ValueError(f"it begins with {found}, and not with {magic}")
        return array.reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise InvalidValueError(f"{path} must be a file in the IDX format, but: {error}") from None


def _arff(path: Path) -> Images:
    from scipy.io import arff

    try:
        table, _ = arff.loadarff(str(path))
        names = table.dtype.names or ()
        x = np.column_stack([table[name].astype(np.float64) for name in names[:-1]])
        y = table[names[-1]]
    except (
        OSError,
        ValueError,
        IndexError,
        StopIteration,
        NotImplementedError,
        arff.ArffError,
    ) as error:
        raise InvalidValueError(
            f"{path} must be an ARFF file with a number for each pixel and the class last, but: "
            f"{str(error) or 'it has no data'}"
        ) from None
    return _checked(x, np.array([value.decode() for value in y.tolist()]), path)


def _checked(x: NDArray[np.generic], y: NDArray[np.generic], path: Path) -> Images:
    if x.ndim != 2 or x.shape[1] != _SIDE**2 or y.shape != x.shape[:1]:
        raise InvalidValueError(
            f"{path} must have images of {_SIDE} × {_SIDE} pixels with a label each, but got "
            f"{x.shape} and {y.shape}"
        )
    return x.astype(np.uint8), y.astype(np.int64)
