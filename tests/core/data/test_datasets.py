"""Datasets: shapes, labels, streams, published geometry and what brute force reaches."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.core import networks
from qhn.core.data.datasets import (
    DATASETS,
    DEFAULT_NOISE,
    DIGIT_COUNTS,
    N_INPUTS,
    NAMES,
    default_test,
    make_dataset,
)
from qhn.core.errors import InvalidValueError

MEANS = np.array([[-1.0, -2.0], [-2.0, 1.0], [1.0, 1.0], [2.0, -2.0]])


@pytest.mark.parametrize("name", NAMES)
def test_shapes_labels_and_repeatability(name):
    first = make_dataset(name, train=60, test=90, seed=3)
    again = make_dataset(name, train=60, test=90, seed=3)
    assert first.x_train.shape == (60, N_INPUTS[name])
    assert first.x_test.shape == (90, N_INPUTS[name])
    for part in ("x_train", "y_train", "x_test", "y_test"):
        assert getattr(first, part).dtype == np.float64
        assert np.array_equal(getattr(first, part), getattr(again, part))
    assert set(first.y_train) == {0.0, 1.0} == set(first.y_test)


@pytest.mark.parametrize("name", ["gaussian", "moons", "ring"])
def test_the_test_split_does_not_depend_on_the_size_of_the_train_split(name):
    small = make_dataset(name, train=10, test=50, seed=1)
    large = make_dataset(name, train=500, test=50, seed=1)
    assert np.array_equal(small.x_test, large.x_test)
    assert not np.array_equal(small.x_test[:10], small.x_train)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_differ(name):
    a = make_dataset(name, train=20, test=20, seed=0)
    b = make_dataset(name, train=20, test=20, seed=1)
    assert not np.array_equal(a.x_train, b.x_train)


def test_gaussian_components_have_the_stated_means_weights_and_covariance():
    n = 8000
    data = make_dataset("gaussian", train=n, test=1, seed=0)
    nearest = ((data.x_train[:, None] - MEANS) ** 2).sum(axis=2).argmin(axis=1)
    assert np.array_equal(data.y_train, (nearest > 0).astype(float))
    for component, mean in enumerate(MEANS):
        points = data.x_train[nearest == component]
        share = len(points) / n
        assert abs(share - 0.25) < 5 * np.sqrt(0.25 * 0.75 / n)
        assert np.all(np.abs(points.mean(axis=0) - mean) < 5 * np.sqrt(0.1 / len(points)))
        error = 0.1 * np.sqrt(2 / len(points))
        assert np.all(np.abs(np.cov(points.T) - 0.1 * np.eye(2)) < 5 * error)


def test_ring_is_doubled_with_class_one_inside():
    data = make_dataset("ring", train=4000, test=1, seed=0)
    radius = np.hypot(*data.x_train.T)
    # Noise of 0.2 in each coordinate adds about 0.2² / (2r) to the mean radius.
    for label, r in ((1.0, 0.8), (0.0, 2.0)):
        inside = radius[data.y_train == label]
        error = 0.2 / np.sqrt(len(inside))
        assert abs(inside.mean() - (r + 0.04 / (2 * r))) < 5 * error + 0.002


def test_noise_changes_moons_and_zero_noise_is_exact():
    exact = make_dataset("moons", train=100, test=1, noise=0.0, seed=0)
    upper = exact.x_train[exact.y_train == 0]
    np.testing.assert_allclose(np.hypot(*upper.T), 1.0, atol=1e-12)


def test_digits_are_pooled_scaled_and_do_not_overlap():
    data = make_dataset("digits", train=100, test=260, seed=5)
    both = np.vstack([data.x_train, data.x_test])
    assert both.min() >= -1 and both.max() <= 1
    assert abs(np.concatenate([data.y_train, data.y_test]).mean() - 182 / 360) < 1e-12

    from sklearn.datasets import load_digits

    images = load_digits(n_class=2).images
    pooled = [[im[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() / 8 - 1 for im in images]
              for i in range(4) for j in range(4)]  # fmt: skip
    expected = np.array(pooled).T
    # All 360 images, each once, in another order.
    assert np.array_equal(expected[np.lexsort(expected.T)], both[np.lexsort(both.T)])


@pytest.mark.parametrize(
    "name, best_nll, best_accuracy, minima",
    [("gaussian", 0.082, 1.000, 6), ("moons", 0.309, 0.871, 3), ("ring", 0.473, 0.872, 6)],
)
def test_brute_force_over_all_networks_is_as_hard_as_reported(
    name, best_nll, best_accuracy, minima
):
    network = networks.mlp(2, 3)
    representatives, class_of = network.classes()
    data = make_dataset(name, train=100, test=2000, seed=0)
    z = network.logits(representatives, data.x_train)
    nll = (np.logaddexp(0.0, z) - data.y_train * z).mean(axis=1)[class_of]
    best = np.flatnonzero(nll < nll.min() + 1e-9)
    accuracy = ((network.logits(best, data.x_test) > 0) == data.y_test).mean(axis=1)
    assert len(best) == minima
    # The draws differ: over 12 seeds the deviation of the best nll is at most 0.011.
    assert abs(nll.min() - best_nll) < 4 * 0.011
    assert abs(accuracy.mean() - best_accuracy) < 0.02


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"name": "spirals"},
            "must be one of gaussian, moons, ring, digits, file, mnist, fashion_mnist, but got "
            "'spirals'",
        ),
        ({"train": 0}, "`train >= 1` must hold, but got train=0"),
        ({"test": 0}, "`test >= 1` must hold"),
        ({"train": 10.0}, "train must be a whole number, but got train=10.0"),
        ({"seed": -1}, "`seed >= 0` must hold"),
        ({"noise": 1e308}, "points must be finite, but with noise=1e\\+308 some are not"),
        ({"noise": -1.0}, "`noise >= 0` must hold, but got noise=-1"),
        ({"noise": float("nan")}, "`noise >= 0` must hold"),
        ({"name": "gaussian", "noise": 0.1}, "gaussian takes no noise"),
        ({"name": "digits", "noise": 0.1}, "digits takes no noise"),
        ({"name": "digits", "train": 300, "test": 100}, "`train \\+ test <= 360`"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        make_dataset(**{"name": "moons", "train": 10, "test": 10, **arguments})


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_says_what_its_points_are(name):
    kind = DATASETS[name]
    assert kind.name == name
    plain = make_dataset(name, train=30, test=20, seed=4)
    assert plain.x_train.shape[1] == kind.n_inputs == N_INPUTS[name]
    if kind.noise is not None:
        same = make_dataset(name, train=30, test=20, noise=DEFAULT_NOISE[name], seed=4)
        assert np.array_equal(plain.x_train, same.x_train)


def test_test_points_are_a_thousand_or_what_training_leaves():
    assert [default_test(name, 100) for name in NAMES] == [1000, 1000, 1000, 260]


@pytest.mark.parametrize("name", ["moons", "digits"])
def test_label_noise_flips_training_labels_and_nothing_else(name):
    plain = make_dataset(name, train=200, test=100, seed=3)
    noisy = make_dataset(name, train=200, test=100, seed=3, label_noise=0.2)
    assert (noisy.x_train == plain.x_train).all() and (noisy.x_test == plain.x_test).all()
    assert (noisy.y_test == plain.y_test).all()
    flipped = noisy.y_train != plain.y_train
    assert set(noisy.y_train) == {0.0, 1.0}
    # Four standard deviations of a binomial share.
    assert abs(flipped.mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 200)
    # More noise flips these labels and more.
    more = make_dataset(name, train=200, test=100, seed=3, label_noise=0.4)
    assert (more.y_train != plain.y_train)[flipped].all()
    none = make_dataset(name, train=200, test=100, seed=3, label_noise=0.0)
    assert (none.y_train == plain.y_train).all()


def test_every_pair_of_digits_can_be_told_apart_by_its_labels():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    assert tuple(np.bincount(labels)) == DIGIT_COUNTS
    assert DATASETS["digits"].available == DIGIT_COUNTS[0] + DIGIT_COUNTS[1]
    pooled = images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16) / 8 - 1
    for classes in ((3, 8), (8, 3), (9, 4)):
        size = sum(DIGIT_COUNTS[digit] for digit in classes)
        found = make_dataset("digits", train=100, test=size - 100, classes=classes)
        points = np.vstack([found.x_train, found.x_test])
        is_second = np.concatenate([found.y_train, found.y_test]) == 1.0
        for digit, mine in zip(classes, (points[~is_second], points[is_second]), strict=True):
            theirs = pooled[labels == digit]
            assert sorted(map(tuple, mine)) == sorted(map(tuple, theirs))
    default = make_dataset("digits", train=100, test=50, seed=2)
    same = make_dataset("digits", train=100, test=50, seed=2, classes=(0, 1))
    assert (default.x_train == same.x_train).all() and (default.y_train == same.y_train).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_noise": 0.6}, "label_noise <= 0.5"),
        ({"label_noise": -0.1}, "0 <= label_noise"),
        ({"classes": (0, 1)}, "only digits, mnist, fashion_mnist have classes to choose"),
        ({"name": "digits", "classes": (3, 3)}, "two different digits"),
        ({"name": "digits", "classes": (3, 10)}, "two different digits"),
        ({"name": "digits", "classes": (3, 8), "train": 300}, r"train \+ test <= 357"),
    ],
)
def test_labels_and_classes_that_cannot_be(options, words):
    with pytest.raises(InvalidValueError, match=words):
        make_dataset(**{"name": "moons", "train": 100, "test": 100} | options)
