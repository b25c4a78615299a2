"""Points from files: what is read, what is refused, and what they are known by."""

import gzip
import struct

import numpy as np
import pytest

from qhn.core.data import images as module
from qhn.core.data import point_sets
from qhn.core.data.datasets import make_dataset
from qhn.core.data.images import read_images
from qhn.core.data.point_files import read_points_file
from qhn.core.data.point_sets import (
    PointSet,
    add_place,
    check_points,
    decode,
    encode,
    points_of,
    remember,
    sizes_of,
)
from qhn.core.errors import InvalidValueError, NotFoundError, StoreError

TEXT = "width,kind,height\n1,b,2\n\n3,a,-0.0\n5,a,6.5\n"


@pytest.fixture
def csv_file(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text(TEXT)
    return path


def test_a_csv_file_has_its_labels_in_any_column(csv_file):
    points = read_points_file(csv_file, "kind")
    assert points.x.tolist() == [[1, 2], [3, 0], [5, 6.5]]
    assert points.y.tolist() == [1, 0, 0]  # b comes after a


def test_without_a_name_the_last_column_has_the_labels(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("a,b,class\n1,2,10\n3,4,9\n")
    # As numbers, 10 comes after 9.
    assert read_points_file(path).y.tolist() == [1, 0]


@pytest.mark.parametrize("label", ["y", "target"])
def test_an_npz_file_has_the_same_points(tmp_path, csv_file, label):
    path = tmp_path / "points.npz"
    np.savez(path, x=[[1, 2], [3, 0], [5, 6.5]], **{label: ["b", "a", "a"]})
    found = read_points_file(path, None if label == "y" else label)
    assert found.digest == read_points_file(csv_file, "kind").digest
    assert sizes_of(found.digest) == (3, 2)


@pytest.mark.parametrize(
    ("text", "label", "words"),
    [
        ("", None, "must have a header"),
        ("1,2,3\n4,5,6\n", None, "must have a header"),
        (TEXT, "color", "must have one column 'color' .* its columns are width, kind, height"),
        (TEXT, None, "has something else on line 2, 4, 5"),
        (TEXT.replace("3,a,-0.0", "3,a"), "kind", "must have 3 columns .* others on line 4"),
        (TEXT.replace("-0.0", "nan"), "kind", "has something else on line 4"),
        (TEXT.replace("b", "a"), "kind", "must have two labels, but has 1: a"),
        (TEXT.replace("5,a", "5,c"), "kind", "must have two labels, but has 3: a, b, c"),
        ("kind\na\nb\n", "kind", "at least one coordinate"),
    ],
)
def test_csv_files_that_cannot_be_used(csv_file, text, label, words):
    csv_file.write_text(text)
    with pytest.raises(InvalidValueError, match=words):
        read_points_file(csv_file, label)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((2, 2))}, "must have the arrays x and y, but has x"),
        ({"x": np.zeros(2), "y": [0, 1]}, r"x must have the shape \(n, d\)"),
        ({"x": np.zeros((2, 2)), "y": [0, 1, 1]}, "they have"),
        ({"x": [["a"], ["b"]], "y": [0, 1]}, "x must be numbers"),
        ({"x": [[1.0], [np.inf]], "y": [0, 1]}, "point 1 .* leave it out"),
        ({"x": np.array([[{}], [{}]]), "y": [0, 1]}, "without pickled objects"),
    ],
)
def test_npz_files_that_cannot_be_used(tmp_path, arrays, words):
    path = tmp_path / "points.npz"
    np.savez(path, **arrays)
    with pytest.raises(InvalidValueError, match=words):
        read_points_file(path)
    path.write_bytes(b"no zip")
    with pytest.raises(InvalidValueError, match="must be an NPZ file"):
        read_points_file(path)
    with pytest.raises(NotFoundError, match="there is no"):
        read_points_file(tmp_path / "absent.csv")


def test_points_are_known_by_their_numbers_alone():
    x, y = np.array([[0.5, 1.0], [2.0, 3.0]]), np.array([0.0, 1.0])
    digest = check_points(x, y).digest
    assert check_points(x[:, ::-1][:, ::-1], y.astype(int)).digest == digest
    assert check_points(-1.0 * np.array([[-0.5, -1], [-2, -3]]), y).digest == digest
    others = [check_points(x + 1, y), check_points(x, 1 - y), check_points(x.reshape(2, 2).T, y)]
    assert len({digest, *(one.digest for one in others)}) == 4
    assert decode(encode(check_points(x, y)), digest).digest == digest


def test_what_is_kept_must_be_what_was_asked_for():
    points = PointSet(np.ones((2, 1)), np.array([0.0, 1.0]))
    other = PointSet(np.zeros((2, 1)), np.array([0.0, 1.0]))
    with pytest.raises(InvalidValueError, match="kept under this digest"):
        decode(encode(other), points.digest)
    with pytest.raises(InvalidValueError, match="cannot be read"):
        decode(b"", points.digest)
    with pytest.raises(InvalidValueError, match="the digest of points must be"):
        sizes_of("../../etc")


def cannot_be_asked(digest):
    raise StoreError("no credentials were found")


def test_points_are_found_in_places(monkeypatch):
    # Other tests of this process have opened stores, which are places too.
    monkeypatch.setattr(point_sets, "_places", {})
    points = check_points(np.full((3, 1), 7.25), np.array([0, 1, 1]))
    with pytest.raises(NotFoundError, match="must be in the store"):
        points_of(points.digest)
    add_place("a test", {points.digest: encode(points)}.get)
    add_place("an unreachable store", cannot_be_asked)
    with pytest.raises(StoreError, match="no credentials"):
        points_of("3x1-0123456789abcdef")
    assert (points_of(points.digest).x == 7.25).all()


def test_they_are_divided_without_overlap_and_by_the_seed():
    digest = remember(check_points(np.arange(20.0)[:, None], np.arange(20) % 2))
    first, again, other = (
        make_dataset("file", train=12, test=8, seed=seed, digest=digest) for seed in (0, 0, 1)
    )
    together = np.concatenate([first.x_train, first.x_test]).ravel()
    assert sorted(together.tolist()) == list(range(20))
    assert (first.y_train == first.x_train.ravel() % 2).all()
    assert (first.x_train == again.x_train).all() and (first.x_train != other.x_train).any()
    with pytest.raises(InvalidValueError, match="train \\+ test <= 20"):
        make_dataset("file", train=12, test=9, digest=digest)
    with pytest.raises(InvalidValueError, match="need the digest"):
        make_dataset("file", train=12, test=8)
    with pytest.raises(InvalidValueError, match="no other data set has one"):
        make_dataset("moons", train=12, test=8, digest=digest)


def idx(array):
    head = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def pictures(tmp_path):
    """Three pictures: one black, one white, and one with a bright upper half."""
    array = np.zeros((3, 28, 28), dtype=np.uint8)
    array[1], array[2, :14] = 255, 128
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.array([3, 8, 5]))))
    return tmp_path / "train-images-idx3-ubyte.gz"


def test_images_are_pooled(pictures):
    points = read_images("mnist", (8, 3), pictures)
    assert points.x.tolist() == [[-1.0] * 16, [1.0] * 16]
    assert points.y.tolist() == [1, 0]
    half = read_images("mnist", (3, 5), pictures)
    assert half.x[1].tolist() == [1.0] * 8 + [-1.0] * 8


def test_an_arff_file_has_the_same_images(pictures, tmp_path):
    names = [f"pixel{i}" for i in range(784)]
    lines = ["@relation mnist", *(f"@attribute {name} numeric" for name in names)]
    lines += ["@attribute class {3,5,8}", "@data"]
    lines += [",".join(["0"] * 784 + ["3"]), ",".join(["255"] * 784 + ["8"])]
    file = tmp_path / "mnist.arff"
    file.write_text("\n".join(lines) + "\n")
    expected = read_images("mnist", (8, 3), pictures)
    assert read_images("mnist", (8, 3), file).digest == expected.digest


def test_image_files_that_cannot_be_used(pictures, tmp_path):
    with pytest.raises(InvalidValueError, match="no images of the classes"):
        read_images("mnist", (0, 1), pictures)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(b"")
    with pytest.raises(InvalidValueError, match="must be a file in the IDX format"):
        read_images("mnist", (8, 3), pictures)
    labels.unlink()
    with pytest.raises(NotFoundError, match="labels-idx1 in place of images-idx3"):
        read_images("mnist", (8, 3), pictures)
    with pytest.raises(NotFoundError, match="there is no"):
        read_images("mnist", (8, 3), tmp_path / "absent")
    (tmp_path / "a.arff").write_text("@relation x\n")
    with pytest.raises(InvalidValueError, match="must be"):
        read_images("mnist", (8, 3), tmp_path / "a.arff")


def test_without_a_network_the_way_out_is_said(monkeypatch):
    def offline(*arguments, **options):
        raise OSError("the network is away")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", offline)
    with pytest.raises(NotFoundError) as caught:
        read_images("fashion_mnist", (0, 1))
    said = str(caught.value)
    assert "the network is away" in said and "{name: fashion_mnist, path: FILE}" in said


def test_what_openml_gives_is_read_as_a_file(monkeypatch, pictures):
    found = module._of_file(pictures)
    fetched = found[0].astype(np.float64), np.array([str(label) for label in found[1]])
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *a, **o: fetched)
    assert read_images("mnist", (3, 8)).digest == read_images("mnist", (3, 8), pictures).digest
