"""Whether the selected regions depend on what a model has learned."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from p2pselect.exceptions import InputError, brief
from p2pselect.metrics import selection_agreement
from p2pselect.metrics._explained import find_explainer
from p2pselect.model_selection._comparable import check_ranking


class RandomizedSelections(NamedTuple):
    """What is left of a selection as more and more layers forget what they have learned.

    Parameters
    ----------
    layers : list of str
        The layer that is reached by every step; its weights and those of all later layers are
        random.
    n_layers : ndarray of shape (t,), int
        Number of layers with random weights.
    rank_correlation : ndarray of shape (t,)
        Spearman's correlation with the original scores of the regions, mean over the images;
        NaN where the scores of every image have become equal.
    iou : ndarray of shape (t,)
        Intersection over union with the original masks of the same area, mean over the images.
    chance_iou : float
        The same for regions in random order.

    Examples
    --------
    >>> found = RandomizedSelections(
    ...     ["head", "stem"], np.array([1, 2]), np.array([0.1, 0.02]), np.array([0.2, 0.1]), 0.1
    ... )
    >>> dict(zip(found.layers, found.rank_correlation.tolist()))
    {'head': 0.1, 'stem': 0.02}
    """

    layers: list[str]
    n_layers: np.ndarray
    rank_correlation: np.ndarray
    iou: np.ndarray
    chance_iou: float


def randomize_selector(
    clf: Any, X: Any, *, area: float = 0.2, n_steps: int = 8, random_state: int = 0
) -> RandomizedSelections:
    """Make the layers of a selector random, from the last to the first, and compare.

    This is the cascading randomization of Adebayo et al. (2018).  Regions that a model without
    any learned weights would select as well say something about the architecture, or about how
    conspicuous they are, and nothing about what the model has learned.  Where the last layers
    are random, the correlation should be near 0 and the overlap near that of random regions.

    Parameters
    ----------
    clf : fitted estimator
        A method of this package whose regions have an order, a Pipeline that ends in one, or a
        fitted search over one.  It stays as it is.
    X : images
        Those whose selections are compared.
    area : float in (0, 1], default=0.2
        Largest share of an image that its first regions have, for the overlap.
    n_steps : int, default=8
        The numbers of random layers are about this many, in geometric progression: the last
        layer alone is the first of them, all layers are the last.
    random_state : int, default=0
        Seed of the random weights.

    Returns
    -------
    RandomizedSelections
        Layers, rank correlations and overlaps.

    Raises
    ------
    InputError
        If the model ranks no regions, has no weights, or an option is out of its range.

    Notes
    -----
    The numbers within each array of weights are shuffled, which destroys what they have learned
    and keeps their distribution, so that the scale of the features stays as it is.  Of methods
    without a network of their own for the selection, the layers are those of the classifier.

    References
    ----------
    Adebayo, J. et al. Sanity Checks for Saliency Maps. NeurIPS 2018.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> clf = P2PClassifier(**{**presets.SMALL, "image_size": 32, "max_epochs": 1})
    >>> clf = clf.fit(scenes.images, scenes.target % 2)
    >>> found = randomize_selector(clf, scenes.images, n_steps=2)
    >>> int(found.n_layers[0]), len(found.layers)
    (1, 2)
    """
    if n_steps < 1:
        raise InputError(f"n_steps must be at least 1, got {brief(n_steps)}")
    explainer, images = find_explainer(clf, X, asked_by="randomize_selector")
    # Only the order counts, so that nothing has to be searched for.
    options = {"tau": 1.0} if getattr(explainer, "tau", None) == "dynamic" else {}
    original = explainer.explain(images, **options)
    check_ranking(original, explainer, asked_by="randomize_selector")
    changed = deepcopy(explainer)
    model = changed.module_
    layers = [
        (name, own)
        for name, layer in getattr(model, "selector", model).named_modules()
        # A single number has nothing to be shuffled with.
        if (own := [each for each in layer.parameters(recurse=False) if each.numel() > 1])
    ][::-1]
    if not layers:
        raise InputError(f"{type(explainer).__name__} has no weights that select regions")
    steps = np.unique(np.geomspace(1, len(layers), n_steps).round().astype(int))
    steps[-1] = len(layers)
    rng = np.random.default_rng(random_state)
    found, done = [], 0
    for step in steps:
        for _, weights in layers[done:step]:
            _shuffle(weights, rng)
        done = step
        exp = changed.explain(images, regions=original.regions, **options)
        found.append(selection_agreement([original, exp], area=area, random_state=random_state))
    return RandomizedSelections(
        [layers[step - 1][0] for step in steps],
        steps,
        np.array([_mean(each.rank_correlation) for each in found]),
        np.array([each.iou.mean() for each in found]),
        float(np.mean([each.chance_iou for each in found])),
    )


def _shuffle(weights: list[Any], rng: np.random.Generator) -> None:
    for weight in weights:
        flat = weight.data.flatten()
        weight.data.copy_(flat[rng.permutation(len(flat))].view(weight.shape))


def _mean(values: np.ndarray) -> float:
    """Mean of what is defined; NaN where the scores of every image have become equal."""
    return float(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else np.nan
