"""What a model looks at over a whole data set, class by class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.color import rgb2lab
from sklearn.cluster import KMeans

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._optional import need
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._display import check_truth
from p2pselect.explanations.figures._pixels import region_crop, to_rgb
from p2pselect.metrics._arrays import ratio
from p2pselect.metrics._object_masks import check_object_masks

if TYPE_CHECKING:
    import pandas as pd

_MOST_REGIONS = 20_000


def explanation_summary(
    exp: ExplanationArrays,
    y: Any = None,
    object_masks: Any = None,
    *,
    n_clusters: int = 12,
    n_typical: int = 3,
    n_crops: int = 3,
    random_state: int = 0,
    as_frame: bool = False,
) -> list[dict[str, Any]] | pd.DataFrame:
    """Say for every class what the classifier saw when it predicted that class.

    Kept regions of all images are clustered by what they look like (mean colour and
    contrast) and by their embedding; a class's typical regions are the clusters that
    make up most of the pixels kept for it.  A model that takes a shortcut shows here: its
    typical regions are not of the object.

    Parameters
    ----------
    exp : Explanation
    y : array-like of shape (n,), optional
        True labels.
    object_masks : array-like of shape (n, h, w), bool, optional
        Where the object is; resized to the model's grid.
    n_clusters : int, default=12
        Number of kinds of regions over the whole data set.
    n_typical : int, default=3
        Most frequent kinds that are listed for a class.
    n_crops : int, default=3
        Examples of each kind, from different images.
    random_state : int, default=0
        Seed of the clustering.
    as_frame : bool, default=False
        Return a pandas DataFrame.

    Returns
    -------
    list of dict, or DataFrame
        One row per class in the order of ``exp.classes``:

        ``class`` : the label;
        ``n_images`` : images for which it was predicted;
        ``right`` : share of them that are of this class (NaN without ``y``);
        ``certain`` : share of them whose certainty was reached;
        ``kept_fraction`` : mean share of the pixels that the classifier could see;
        ``empty`` : number of them of which nothing is kept, which the next two leave out;
        ``outside`` : mean share of the kept pixels outside the object;
        ``from_outside`` : share of the predictions for which most of what was kept lies
        outside the object (both NaN without ``object_masks``);
        ``typical_regions`` : list of dict with ``cluster`` (its number), ``share`` (of the
        pixels kept for this class), ``outside`` (share of its pixels outside the object)
        and ``crops`` (uint8 (m, 48, 48, 3), everything but the region darkened).

        A class that is never predicted has ``n_images`` 0 and NaN.

    Raises
    ------
    InputError
        If there is no image, or ``y`` or ``object_masks`` do not fit.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> made = example_explanation(n_images=4)
    >>> rows = explanation_summary(made.explanation, made.y, made.object_masks)
    >>> sorted(rows[0])[:4]
    ['certain', 'class', 'empty', 'from_outside']
    """
    if as_frame:
        need("pandas", "as_frame=True", "pandas")
    if not len(exp):
        raise InputError("a summary needs at least one image, the explanation has none")
    truth = None if y is None else check_truth(exp, y)
    shape = (exp.regions.shape[1], exp.regions.shape[2])
    regions = _kept_regions(exp, random_state)
    kept_inside = np.full(len(exp), np.nan)
    inside = np.full(len(regions), np.nan)
    if object_masks is not None:
        masks = check_object_masks(object_masks, len(exp), shape, name="object_masks")
        inside = _region_means(exp, regions, lambda image: masks[image])[:, 0]
        kept = exp.pixel_masks
        hit = (kept & masks).sum(axis=(1, 2))
        kept_inside = ratio(hit, kept.sum(axis=(1, 2)))
    kinds, distances = _cluster(exp, regions, n_clusters, random_state)
    predicted = exp.proba.argmax(axis=1)
    kept_fraction = exp.kept_fraction
    areas = exp.region_areas[tuple(regions.T)].astype(float)
    rows = []
    for c, name in enumerate(exp.classes.tolist()):
        chosen = predicted == c
        own = chosen[regions[:, 0]]
        located = kept_inside[chosen & ~np.isnan(kept_inside)]
        row = {
            "class": name,
            "n_images": int(chosen.sum()),
            "right": _mean(truth[chosen] == name) if truth is not None else np.nan,
            "certain": _mean(exp.certainty_reached[chosen]),
            "kept_fraction": _mean(kept_fraction[chosen]),
            "empty": int((~exp.region_masks[chosen].any(axis=1)).sum()),
            "outside": _mean(1 - located),
            "from_outside": _mean(located < 0.5),
            "typical_regions": _typical(
                exp,
                regions[own],
                areas[own],
                kinds[own],
                distances[own],
                inside[own],
                n_typical,
                n_crops,
            ),
        }
        rows.append(row)
    if as_frame:
        import pandas as pd

        return pd.DataFrame(rows)
    return rows


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _region_means(
    exp: ExplanationArrays, regions: np.ndarray, pixels_of: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Mean over every one of ``regions`` of what an image's pixels hold, (m, c).

    Image by image: all pixels of a data set as floats would not fit into memory.
    """
    rows = []
    # In the order of the images, so that each one's regions lie together.
    images, starts = np.unique(regions[:, 0], return_index=True)
    for image, own in zip(images.tolist(), np.split(regions[:, 1], starts)[1:], strict=True):
        flat = exp.regions[image].ravel()
        values = pixels_of(image).reshape(flat.size, -1)
        sums = [np.bincount(flat, weights=column)[own] for column in values.T]
        rows.append(np.stack(sums, axis=1) / np.bincount(flat)[own, None])
    return np.concatenate(rows) if rows else np.zeros((0, 1))


def _kept_regions(exp: ExplanationArrays, random_state: int) -> np.ndarray:
    """Pairs (image, region) of the kept regions; a random part of them if very many."""
    found = np.argwhere(exp.region_masks)
    if len(found) > _MOST_REGIONS:
        rng = np.random.default_rng(random_state)
        found = found[np.sort(rng.choice(len(found), _MOST_REGIONS, replace=False))]
    return found


def _cluster(
    exp: ExplanationArrays, regions: np.ndarray, n_clusters: int, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster of every region and its distance to the cluster's centre."""
    if not len(regions):
        return np.zeros(0, int), np.zeros(0)

    def look(image: int) -> np.ndarray:
        rgb = to_rgb(exp.images[image]) / 255
        grey = rgb.mean(axis=-1, keepdims=True)
        return np.concatenate([rgb, grey, grey**2], axis=-1)

    means = _region_means(exp, regions, look)
    contrast = np.sqrt(np.maximum(means[:, 4:] - means[:, 3:4] ** 2, 0))
    parts = [rgb2lab(means[:, :3]), 100 * contrast]
    if exp.region_embeddings is not None:
        embedding = exp.region_embeddings[regions[:, 0], :, regions[:, 1]].astype(float)
        # As much say as the colours: they have the spread of their own typical length.
        parts.append(30 * embedding / max(float(np.abs(embedding).max(initial=0)), 1e-12))
    features = np.hstack(parts)
    n_clusters = min(n_clusters, len(np.unique(features, axis=0)))
    model = KMeans(n_clusters, n_init=3, random_state=random_state).fit(features)
    return model.labels_, np.linalg.norm(
        features - model.cluster_centers_[model.labels_], axis=1
    )


def _typical(
    exp: ExplanationArrays,
    regions: np.ndarray,
    areas: np.ndarray,
    kinds: np.ndarray,
    distances: np.ndarray,
    inside: np.ndarray,
    n_typical: int,
    n_crops: int,
) -> list[dict[str, Any]]:
    """The kinds of regions that make up most of the kept pixels, largest first."""
    if not len(regions):
        return []
    total = np.bincount(kinds, weights=areas)
    found = []
    for kind in np.argsort(-total, kind="stable")[:n_typical]:
        if not total[kind]:
            break
        own = kinds == kind
        found.append(
            {
                "cluster": int(kind),
                "share": float(total[kind] / areas.sum()),
                "outside": float(np.average(1 - inside[own], weights=areas[own])),
                "crops": _crops(exp, regions[own], distances[own], n_crops),
            }
        )
    return found


def _crops(
    exp: ExplanationArrays, regions: np.ndarray, distances: np.ndarray, n_crops: int
) -> np.ndarray:
    """The regions closest to their cluster's centre, one from an image."""
    nearest = regions[np.argsort(distances, kind="stable")]
    first = np.unique(nearest[:, 0], return_index=True)[1]
    chosen = nearest[np.sort(first)[:n_crops]]
    return np.stack([region_crop(exp, int(image), int(region)) for image, region in chosen])
