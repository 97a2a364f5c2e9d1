"""The promises of every image classifier of this package, as checks that anyone can run."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from p2pselect.testing._check_images import make_check_images
from p2pselect.testing._faithfulness import (
    check_faithful_by_construction,
    check_removed_pixels_do_not_matter,
)

Check = Callable[[Any], None]


def check_image_classifier(estimator: Any, *, skip: tuple[str, ...] = ()) -> None:
    """Run all checks on an estimator and report those that fail.

    Parameters
    ----------
    estimator : estimator
        Not fitted.  Set its ``random_state`` and a small number of epochs: it is trained about
        twenty times, on two dozen images.
    skip : tuple of str, default=()
        Names of the checks to leave out.

    Raises
    ------
    AssertionError
        If a check fails; the message lists all failed checks with their reasons.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, presets
    >>> clf = P2PClassifier(**{**presets.SMALL, "max_epochs": 1, "random_state": 0})
    >>> check_image_classifier(clf)  # doctest: +SKIP
    """
    failures = []
    for name, check in image_classifier_checks(estimator):
        if name in skip:
            continue
        try:
            check(clone(estimator))
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")
    if failures:
        raise AssertionError(
            f"{len(failures)} checks failed for {type(estimator).__name__}:\n"
            + "\n".join(failures)
        )


def image_classifier_checks(estimator: Any) -> Iterator[tuple[str, Check]]:
    """Yield the checks that apply to an estimator, for ``pytest.mark.parametrize``.

    Parameters
    ----------
    estimator : estimator
        Not fitted.

    Yields
    ------
    name : str
        Name of the check.
    check : callable
        Accepts an estimator that is not fitted, and raises an AssertionError if it fails.

    Examples
    --------
    >>> from p2pselect import P2PClassifier
    >>> "check_pickle" in dict(image_classifier_checks(P2PClassifier()))
    True
    """
    needs_masked = (check_faithful_by_construction, check_removed_pixels_do_not_matter)
    for check in _CHECKS:
        if check in needs_masked and not hasattr(estimator, "predict_proba_masked"):
            continue
        if check is check_weights_of_one and not has_fit_parameter(estimator, "sample_weight"):
            continue
        if check is check_several_labels and not (
            get_tags(estimator).classifier_tags.multi_label
        ):
            continue
        yield check.__name__, check


def check_parameters_untouched(estimator: Any) -> None:
    """``fit`` changes no parameter, nested ones included, and a clone has copies of them."""
    before = {name: repr(value) for name, value in estimator.get_params().items()}
    cloned = clone(estimator).get_params()
    for name, value in estimator.get_params(deep=False).items():
        shared = hasattr(value, "get_params") and cloned[name] is value
        assert not shared, f"a clone shares {name} with the original"
    estimator.fit(*make_check_images())
    after = estimator.get_params()
    for name, value in before.items():
        assert repr(after[name]) == value, f"fit changed {name}"
        assert repr(cloned[name]) == value, f"clone changed {name}"


def check_not_fitted_errors(estimator: Any) -> None:
    """Nothing can be predicted before ``fit``, and the error is the one of scikit-learn."""
    X, _ = make_check_images()
    for method in ("predict", "predict_proba", "transform", "explain"):
        _expect(NotFittedError, getattr(estimator, method), X)


def check_refit_idempotent(estimator: Any) -> None:
    """Fitting again forgets the first fit, and gives the same predictions on the same data."""
    X, y = make_check_images()
    first = estimator.fit(X, y).predict_proba(X)
    estimator.fit(X[::-1], y[::-1])
    again = estimator.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(again, first, atol=1e-6)


def check_global_random_state_untouched(estimator: Any) -> None:
    """Training and predicting do not touch the global generators of NumPy and torch."""
    X, y = make_check_images()
    # Pickled, because the state holds an array, which has no single truth value.
    before = pickle.dumps(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    estimator.fit(X, y).predict(X)
    after = pickle.dumps(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    assert before[0] == after[0], "NumPy's global generator moved"
    assert torch.equal(before[1], after[1]), "torch's global generator moved"


def check_data_untouched(estimator: Any) -> None:
    """Images and labels may be read-only, and are not changed."""
    X, y = make_check_images()
    X_before, y_before = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    estimator.fit(X, y).explain(X)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


def check_label_types(estimator: Any) -> None:
    """Strings, booleans, numbers with gaps and lists work as labels like 0, 1, 2."""
    X, y = make_check_images()
    proba = clone(estimator).fit(X, y).predict_proba(X)
    for names in (np.array(["ant", "bee", "cow"]), np.array([-7, 3, 100])):
        fitted = clone(estimator).fit(X, list(names[y]))
        np.testing.assert_array_equal(fitted.classes_, names)
        np.testing.assert_allclose(fitted.predict_proba(X), proba, atol=1e-6)
        assert set(fitted.predict(X)) <= set(names)
    two = clone(estimator).fit(X, y == 0)
    np.testing.assert_array_equal(two.classes_, [False, True])
    assert two.predict(X).dtype == bool


def check_probabilities(estimator: Any) -> None:
    """``predict_proba`` is a distribution for each image; ``predict`` is its largest entry."""
    X, y = make_check_images()
    estimator.fit(X, y)
    proba = estimator.predict_proba(X)
    assert proba.shape == (len(X), 3), f"predict_proba has shape {proba.shape}"
    assert (proba >= 0).all(), "a probability is negative"
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(
        estimator.predict(X), estimator.classes_[proba.argmax(axis=1)]
    )
    assert estimator.score(X, y) == np.mean(estimator.predict(X) == y)


def check_order_and_batch_invariance(estimator: Any) -> None:
    """The prediction for an image does not depend on the other images."""
    X, y = make_check_images()
    estimator.fit(X, y)
    proba, masks = estimator.predict_proba(X), estimator.transform(X)
    order = np.random.default_rng(1).permutation(len(X))
    np.testing.assert_allclose(estimator.predict_proba(X[order]), proba[order], atol=1e-5)
    np.testing.assert_array_equal(estimator.transform(X[order]), masks[order])
    for i in (0, len(X) - 1):
        np.testing.assert_allclose(
            estimator.predict_proba(X[i : i + 1]), proba[i : i + 1], atol=1e-5
        )
        np.testing.assert_array_equal(estimator.transform(X[i : i + 1])[0], masks[i])
    if "batch_size" in estimator.get_params():
        # 24 is not a multiple of 5, so the last batch is a smaller one.
        estimator.set_params(batch_size=5)
        np.testing.assert_allclose(estimator.predict_proba(X), proba, atol=1e-5)


def check_masks(estimator: Any) -> None:
    """Masks are binary, constant within each region, and the same in every method."""
    X, y = make_check_images()
    exp = estimator.fit(X, y).explain(X)
    masks = estimator.transform(X)
    assert masks.dtype == bool, f"transform returns {masks.dtype}"
    assert masks.shape == exp.regions.shape, f"transform has shape {masks.shape}"
    np.testing.assert_array_equal(masks, exp.pixel_masks)
    for labels, mask, n in zip(exp.regions, masks, exp.n_regions, strict=True):
        assert set(np.unique(labels)) == set(range(n)), "labels have gaps"
        assert all(len(set(mask[labels == j])) == 1 for j in range(n)), "mask cuts a region"
    beyond = np.arange(exp.region_masks.shape[1]) >= exp.n_regions[:, None]
    assert not exp.region_masks[beyond].any(), "a region that does not exist is kept"
    assert ((exp.tau > 0) & (exp.tau <= 1)).all(), "tau is outside (0, 1]"


def check_explanation_agrees(estimator: Any) -> None:
    """``explain`` contains the predictions of ``predict`` and ``predict_proba``."""
    X, y = make_check_images()
    exp = estimator.fit(X, y).explain(X)
    np.testing.assert_allclose(exp.proba, estimator.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(exp.predicted, estimator.predict(X))
    np.testing.assert_array_equal(exp.classes, estimator.classes_)
    reached = exp.certainty >= exp.certainty_threshold
    np.testing.assert_array_equal(exp.answered, reached)


def check_several_labels(estimator: Any) -> None:
    """Where the tags say ``multi_label``: each label of a matrix is a question of its own."""
    X, y = make_check_images()
    several = np.stack([y == 0, y != 2, y > 0], axis=1).astype(int)
    estimator.fit(X, several)
    proba = estimator.predict_proba(X)
    assert proba.shape == several.shape, f"predict_proba has shape {proba.shape}"
    assert ((proba >= 0) & (proba <= 1)).all(), "a probability is outside [0, 1]"
    assert not np.allclose(proba.sum(axis=1), 1), "the probabilities of labels sum to 1"
    np.testing.assert_array_equal(estimator.predict(X), proba > 0.5)
    right = (estimator.predict(X) == several).all(axis=1)
    assert estimator.score(X, several) == right.mean()
    exp = estimator.explain(X)
    np.testing.assert_allclose(exp.proba, proba, atol=1e-5)
    decided = np.maximum(exp.proba, 1 - exp.proba).min(axis=1) >= exp.certainty_threshold
    np.testing.assert_array_equal(exp.answered, decided)


def check_float_images(estimator: Any) -> None:
    """Floats in [0, 1] give the same predictions as the same images in uint8."""
    # In the size of the model, because only images in uint8 are rounded after resizing.
    X, y = make_check_images(size=estimator.get_params().get("image_size", 32))
    estimator.fit(X, y)
    as_float = estimator.predict_proba((X / 255).astype(np.float32))
    np.testing.assert_allclose(as_float, estimator.predict_proba(X), atol=1e-4)


def check_pickle(estimator: Any) -> None:
    """Pickling, before and after ``fit``, does not change predictions."""
    X, y = make_check_images()
    estimator = pickle.loads(pickle.dumps(estimator)).fit(X, y)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))


def check_weights_of_one(estimator: Any) -> None:
    """Equal sample weights give the same model as none."""
    X, y = make_check_images()
    plain = clone(estimator).fit(X, y).predict_proba(X)
    # Not 1: that would hide weights that are not divided by their sum.
    equal = clone(estimator).fit(X, y, sample_weight=np.full(len(X), 2.0)).predict_proba(X)
    np.testing.assert_allclose(equal, plain, atol=1e-6)


def check_bad_input(estimator: Any) -> None:
    """Unusable input raises a ValueError, in ``fit`` and in ``predict``."""
    X, y = make_check_images()
    nan = np.where(np.arange(len(X))[:, None, None, None] == 3, np.nan, X / 255)
    bad_fits = {
        "too few labels": (X, y[:-1]),
        "one class": (X, np.zeros(len(X), int)),
        "no images": (X[:0], y[:0]),
        "NaN": (nan, y),
        "values above 1": (X.astype(float), y),
        "missing labels": (X, None),
        "label NaN": (X, np.where(y == 0, np.nan, y)),
    }
    for what, data in bad_fits.items():
        _expect(ValueError, clone(estimator).fit, *data, what=what)
    estimator.fit(X, y)
    for what, images in {"NaN": nan, "no images": X[:0], "one channel": X[..., :1]}.items():
        _expect(ValueError, estimator.predict, images, what=what)


def _expect(kind: type[Exception], call: Callable, *args: Any, what: str = "") -> None:
    name = f"{call.__name__}({what})"
    try:
        call(*args)
    except kind:
        return
    except Exception as error:
        raise AssertionError(
            f"{name} raised {type(error).__name__} instead of {kind.__name__}: {error}"
        ) from error
    raise AssertionError(f"{name} did not raise {kind.__name__}")


_CHECKS: tuple[Check, ...] = (
    check_parameters_untouched,
    check_not_fitted_errors,
    check_refit_idempotent,
    check_global_random_state_untouched,
    check_data_untouched,
    check_label_types,
    check_probabilities,
    check_order_and_batch_invariance,
    check_masks,
    check_explanation_agrees,
    check_faithful_by_construction,
    check_removed_pixels_do_not_matter,
    check_several_labels,
    check_float_images,
    check_pickle,
    check_weights_of_one,
    check_bad_input,
)
