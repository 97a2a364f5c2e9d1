"""From one score per image to one score: undefined images are left out, and said so."""

from __future__ import annotations

import warnings

import numpy as np

from p2pselect.exceptions import P2PSelectWarning


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient per image, NaN where the denominator is 0."""
    out = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def mean_or_per_image(scores: np.ndarray, per_image: bool, what: str) -> float | np.ndarray:
    """Mean over the images that have a score, or all scores.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        NaN where an image has no score.
    per_image : bool
        Return `scores` as they are.
    what : str
        Name of the score and why an image may have none, for the warning.

    Returns
    -------
    float or ndarray of shape (n,)
    """
    if per_image:
        return scores
    defined = ~np.isnan(scores)
    if not defined.all():
        warnings.warn(
            f"{what}: {np.sum(~defined)} of {len(scores)} images have no score "
            "and are left out of the mean",
            P2PSelectWarning,
            stacklevel=3,
        )
    return float(scores[defined].mean()) if defined.any() else float("nan")
