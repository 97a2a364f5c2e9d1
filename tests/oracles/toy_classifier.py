"""A classifier with the face of the real ones that needs no network: bright patches decide."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from p2pselect import Explanation


class ToyClassifier(ClassifierMixin, BaseEstimator):
    """Keeps the brightest patches, then compares their mean color with the classes'.

    Parameters
    ----------
    tau : float, default=0.25
        Share of the patches that is kept; 0 keeps none.
    patch : int, default=4
        Side of the square regions; 1 makes every pixel a region.
    soft : bool, default=False
        Show every patch dimmed by its brightness instead of a binary mask.
    """

    def __init__(self, *, tau=0.25, patch=4, soft=False):
        self.tau = tau
        self.patch = patch
        self.soft = soft

    def _prediction_parameters(self):
        return {"tau"}

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_explained_ = 0
        self.means_ = np.stack([X[y == c].mean(axis=(0, 1, 2)) / 255 for c in self.classes_])
        return self

    def explain(self, X):
        self.n_explained_ += 1
        X = np.asarray(X)
        n, h, w = X.shape[:3]
        rows, columns = np.arange(h) // self.patch, np.arange(w) // self.patch
        label = rows[:, None] * (columns[-1] + 1) + columns
        regions = np.broadcast_to(label, (n, h, w)).astype(np.int32)
        areas = np.bincount(label.ravel())
        light = X.mean(axis=3).reshape(n, -1)
        logits = np.stack([np.bincount(label.ravel(), row) / areas for row in light])
        order = np.argsort(-logits, axis=1, kind="stable")
        masks = np.zeros(logits.shape, dtype=bool)
        np.put_along_axis(masks, order[:, : round(self.tau * len(areas))], True, axis=1)
        probs = (logits / 255).astype(np.float32)
        exp = Explanation(
            images=X,
            regions=regions,
            region_masks=masks,
            selection_logits=logits.astype(np.float32),
            selection_probs=probs,
            tau=np.full(n, self.tau),
            proba=np.zeros((n, len(self.classes_)), dtype=np.float32),
            classes=self.classes_,
            answered=np.ones(n, dtype=bool),
            certainty_threshold=0.5,
            soft_region_masks=probs if self.soft else None,
        )
        exp.proba[:] = self.predict_proba_masked(exp.masked_images)
        return exp

    def predict_proba_masked(self, images):
        scale = 255 if images.dtype == np.uint8 else 1
        total = images.reshape(len(images), -1, images.shape[3]).sum(axis=1) / scale
        color = total / (total.sum(axis=1, keepdims=True) + 1e-9)
        means = self.means_ / self.means_.sum(axis=1, keepdims=True)
        score = np.exp(-30 * ((color[:, None] - means) ** 2).sum(axis=2))
        return (score / score.sum(axis=1, keepdims=True)).astype(np.float32)

    def predict_proba(self, X):
        return self.explain(X).proba

    def predict(self, X):
        return self.explain(X).predicted

    def transform(self, X):
        return self.explain(X).pixel_masks


def make_toy_scenes(n, size=16, random_state=0):
    """Images of dim noise with one bright, tinted square: X, y, object masks."""
    rng = np.random.default_rng(random_state)
    X = rng.integers(0, 90, (n, size, size, 3)).astype(np.uint8)
    y = np.arange(n) % 3
    masks = np.zeros((n, size, size), dtype=bool)
    for i in range(n):
        r, c = rng.integers(0, size // 2, 2)
        masks[i, r : r + size // 2, c : c + size // 2] = True
        X[i][masks[i]] = rng.integers(60, 160, 3)
        X[i][masks[i], y[i]] = 230
    return X, np.array(["red", "green", "blue"])[y], masks
