"""Rows as images, so that scikit-learn's own estimator checks can run on image classifiers.

``sklearn.utils.estimator_checks`` uses small tables of real numbers, and checks next to nothing
if an estimator accepts only images.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from torch import nn

from p2pselect.exceptions import InputError
from p2pselect.presets import Preset


class FlatRows:
    """Mixin for an image classifier of this package, which turns each row into a gray image.

    The f numbers of a row are squashed into (0, 1) and become an image with one row of f
    pixels.  Anything but a table of finite real numbers is passed on unchanged, because the
    classifier itself has to refuse it.
    """

    n_features_in_: int

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Fit on a table of shape (n, f)."""
        self._width = n_columns(X)
        rows = squash_rows(self, X, self._width)
        super().fit(rows, y, sample_weight=sample_weight)  # type: ignore[misc]
        self.n_features_in_ = self._width
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, *, sample_weight: Any = None
    ) -> Self:
        """Fit for one more epoch on a table of shape (n, f)."""
        if not hasattr(self, "n_features_in_"):
            self._width = n_columns(X)
        rows = squash_rows(self, X, self._width)
        super().partial_fit(rows, y, classes, sample_weight=sample_weight)  # type: ignore[misc]
        self.n_features_in_ = self._width
        return self

    def _run(self, X: Any, *args: Any, **options: Any) -> Any:
        # Without a fit there is no width, and the classifier says so.
        rows = squash_rows(self, X, self._width) if hasattr(self, "_width") else X
        return super()._run(rows, *args, **options)  # type: ignore[misc]

    def _meaning(self, *args: Any, **options: Any) -> dict[str, Any]:
        meaning = super()._meaning(*args, **options)  # type: ignore[misc]
        return {**meaning, "image_shape": (1, self._width)}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = False
        return tags


def n_columns(X: Any) -> int:
    """The number of columns of a table of any kind; 1 if it has none."""
    shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    return shape[1] if len(shape) > 1 else 1


def squash_rows(estimator: Any, X: Any, width: int) -> Any:
    """Squash tables of finite real numbers into (0, 1), float32; return anything else as it is.

    Raises an InputError if the table has another width.
    """
    try:
        rows = np.asarray(X)
        if rows.dtype == object:
            rows = rows.astype(float)
    except (TypeError, ValueError):
        return X
    if rows.dtype.kind not in "fiub" or not np.isfinite(rows).all():
        return X
    if rows.ndim == 2 and rows.shape[1] != width:
        raise InputError(
            f"X has {rows.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{width} features as input"
        )
    return (1 / (1 + np.exp(-rows.astype(np.float64)))).astype(np.float32)


def tiny_selector(n_maps: int) -> nn.Module:
    """A selector for :data:`FLAT_SETTINGS`: one convolution."""
    return nn.Conv2d(3, n_maps, 1)


def tiny_classifier(n_classes: int) -> nn.Module:
    """A classifier for :data:`FLAT_SETTINGS`: one hidden layer."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 8 * 8, 32), nn.ReLU(), nn.Linear(32, n_classes)
    )


FLAT_SETTINGS = Preset(
    selector=tiny_selector,
    classifier=tiny_classifier,
    regions="grid",
    image_size=8,
    tau=1.0,
    objective__tau_training="uniform",
    search__tau_min=0.99,
    max_epochs=20,
    lr=0.03,
    batch_size=32,
    augment=None,
    objective__sparsity_weight=0.01,
    random_state=0,
)
"""Settings so small that scikit-learn's checks take seconds; everything is kept."""
