"""What a model looks at over a whole data set, class by class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.color import rgb2lab
from sklearn.cluster import KMeans

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._optional import need
from p2pselect._targets import encode_targets
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._photographs import photograph, region_crop
from p2pselect.explanations.figures._pixels import to_rgb
from p2pselect.metrics._arrays import ratio
from p2pselect.metrics._explained import check_true_labels
from p2pselect.metrics._object_masks import masks_on_grid

if TYPE_CHECKING:
    import pandas as pd

_MOST_REGIONS = 20_000


@shared_docs
def explanation_summary(
    explanation: ExplanationArrays,
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

    The kept regions of all images are clustered by what they look like (mean color and
    contrast) and by their embedding; the typical regions of a class are the clusters that
    make up most of the pixels kept for it.  A model that takes a shortcut shows here: its
    typical regions are not of the object.

    Parameters
    ----------
    %(explanation)s
    %(optional_y)s
    %(optional_object_masks)s
    n_clusters : int, default=12
        Number of kinds of regions over the whole data set.
    n_typical : int, default=3
        Number of most frequent kinds to list for a class.
    n_crops : int, default=3
        Number of examples of each kind, from different images.
    random_state : int, default=0
        Seed of the clustering.
    as_frame : bool, default=False
        Return a pandas DataFrame.

    Returns
    -------
    list of dict, or DataFrame
        One row per class in the order of ``explanation.classes``.  A class that is never
        predicted has ``n_images`` 0 and NaN.

        ``class`` : the label;
        ``n_images`` : number of images for which it was predicted;
        ``right`` : share of them that are of this class (NaN without `y`);
        ``answered`` : share of them that are answered: the certainty was reached;
        ``answered_right`` : share of those that are answered that are of this class;
        ``answered_kept_fraction`` : mean share of the pixels that the classifier could see of
        those that are answered (NaN without any);
        ``kept_fraction`` : the same of all of them;
        ``empty`` : number of them of which nothing is kept, which the next two leave out;
        ``outside`` : mean share of the kept pixels outside the object;
        ``from_outside`` : share of the predictions for which most of what was kept is
        outside the object (both NaN without `object_masks`);
        ``typical_regions`` : list of dict with ``cluster`` (its number), ``share`` (of the
        pixels kept for this class), ``outside`` (share of its pixels outside the object)
        and ``crops`` (uint8 (m, 96, 96, 3), everything but the region darkened).

    Raises
    ------
    InputError
        If there are no images, or `y` or `object_masks` do not fit them.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=4)
    >>> rows = explanation_summary(example.explanation, example.y, example.object_masks)
    >>> sorted(rows[0])[:4]
    ['answered', 'answered_kept_fraction', 'answered_right', 'class']
    """
    if as_frame:
        need("pandas", "as_frame=True", "pandas")
    if not len(explanation):
        raise InputError("a summary needs at least one image, the explanation has none")
    truth = None if y is None else check_true_labels(explanation, y)
    kept_inside = np.full(len(explanation), np.nan)
    areas = explanation.region_areas
    regions = _KeptRegions(explanation, areas, n_clusters, random_state)
    if object_masks is not None:
        masks = masks_on_grid(object_masks, explanation, name="object_masks")
        regions.inside = regions.means(lambda image, where: masks[image].ravel()[where])[:, 0]
        kept = explanation.pixel_masks
        hit = (kept & masks).sum(axis=(1, 2))
        kept_inside = ratio(hit, kept.sum(axis=(1, 2)))
    kind = explanation._kind
    answers = kind.answers(explanation.proba)
    known = None if truth is None else encode_targets(truth, explanation.classes)
    kept_fraction = explanation._share(explanation.visible_region_masks, areas)
    rows = []
    for c, name in enumerate(explanation.classes.tolist()):
        chosen = kind.has(answers, c)
        true = None if known is None else kind.has(known, c)
        sure = chosen & explanation.answered
        located = kept_inside[chosen & ~np.isnan(kept_inside)]
        row = {
            "class": name,
            "n_images": int(chosen.sum()),
            "right": np.nan if true is None else _mean(true[chosen]),
            "answered": _mean(explanation.answered[chosen]),
            "answered_right": np.nan if true is None else _mean(true[sure]),
            "answered_kept_fraction": _mean(kept_fraction[sure]),
            "kept_fraction": _mean(kept_fraction[chosen]),
            "empty": int((~explanation.region_masks[chosen].any(axis=1)).sum()),
            "outside": _mean(1 - located),
            "from_outside": _mean(located < 0.5),
            "typical_regions": regions.typical(chosen, n_typical, n_crops),
        }
        rows.append(row)
    if as_frame:
        import pandas as pd

        return pd.DataFrame(rows)
    return rows


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


class _KeptRegions:
    """The kept regions of all images (a random part of them if very many), clustered."""

    def __init__(
        self,
        explanation: ExplanationArrays,
        areas: np.ndarray,
        n_clusters: int,
        random_state: int,
    ) -> None:
        self.explanation = explanation
        found = np.argwhere(explanation.region_masks)
        if len(found) > _MOST_REGIONS:
            rng = np.random.default_rng(random_state)
            # Sorted, because means() relies on the order of the images.
            found = found[np.sort(rng.choice(len(found), _MOST_REGIONS, replace=False))]
        self.image, self.region = found.T
        self.area = areas[self.image, self.region].astype(float)
        self.inside = np.full(len(found), np.nan)
        self.kind, self.distance = np.zeros(0, int), np.zeros(0)
        if len(found):
            features = self._features()
            # KMeans cannot find more clusters than there are distinct points.
            n_clusters = min(n_clusters, len(np.unique(features, axis=0)))
            model = KMeans(n_clusters, n_init=3, random_state=random_state).fit(features)
            self.kind = model.labels_
            centers = model.cluster_centers_[model.labels_]
            self.distance = np.linalg.norm(features - centers, axis=1)

    def means(self, pixels_of: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """Mean over every region of what its pixels hold, (m, c).

        ``pixels_of`` gives that for some pixels of an image, counted row by row, as these
        regions are a small part of it.  Image by image: all pixels of a data set as floats
        would not fit into memory.
        """
        rows = []
        # The regions are in the order of the images, so those of each image are together.
        images, starts = np.unique(self.image, return_index=True)
        # The first image starts at 0, so there is an empty part before it.
        parts = np.split(self.region, starts)[1:]
        for image, own in zip(images.tolist(), parts, strict=True):
            labels = self.explanation.regions[image]
            # The last one is for padding, whose label is -1.
            is_own = np.zeros(self.explanation.region_masks.shape[1] + 1, bool)
            is_own[own] = True
            where = np.flatnonzero(is_own.take(labels))
            found = labels.ravel()[where]
            values = pixels_of(image, where).reshape(len(found), -1)
            sums = [np.bincount(found, weights=column)[own] for column in values.T]
            rows.append(np.stack(sums, axis=1) / np.bincount(found)[own, None])
        return np.concatenate(rows) if rows else np.zeros((0, 1))

    def _features(self) -> np.ndarray:
        """Color, contrast and embedding of every region."""

        def look(image: int, where: np.ndarray) -> np.ndarray:
            image_pixels = self.explanation.images[image]
            pixels = image_pixels.reshape(-1, image_pixels.shape[-1])[where]
            rgb = to_rgb(pixels, self.explanation.display_channels) / 255
            # Their mean, for which this is much faster than mean() is.
            gray = rgb @ np.full((3, 1), 1 / 3)
            return np.concatenate([rgb, gray, gray**2], axis=-1)

        means = self.means(look)
        # Rounding can make the variance of a region of one color negative.
        contrast = np.sqrt(np.maximum(means[:, 4:] - means[:, 3:4] ** 2, 0))
        # Lightness goes to 100, so contrast is multiplied by 100 too.
        parts = [rgb2lab(means[:, :3]), 100 * contrast]
        if self.explanation.region_embeddings is not None:
            embedding = self.explanation.region_embeddings[self.image, :, self.region]
            embedding = embedding.astype(float)
            # Scaled to spread about as much as colors do, so that both count alike.
            parts.append(30 * embedding / max(float(np.abs(embedding).max(initial=0)), 1e-12))
        return np.hstack(parts)

    def typical(
        self, of_images: np.ndarray, n_typical: int, n_crops: int
    ) -> list[dict[str, Any]]:
        """The kinds of regions that make up most of what is kept of some images."""
        mine = of_images[self.image]
        if not mine.any():
            return []
        total = np.bincount(self.kind[mine], weights=self.area[mine])
        found = []
        for kind in np.argsort(-total, kind="stable")[:n_typical]:
            if not total[kind]:
                break
            own = np.flatnonzero(mine & (self.kind == kind))
            outside = np.average(1 - self.inside[own], weights=self.area[own])
            found.append(
                {
                    "cluster": int(kind),
                    "share": float(total[kind] / self.area[mine].sum()),
                    "outside": float(outside),
                    "crops": self._crops(own, n_crops),
                }
            )
        return found

    def _crops(self, own: np.ndarray, n_crops: int) -> np.ndarray:
        """Pictures of the regions that are nearest to the cluster's center, one per image."""
        nearest = own[np.argsort(self.distance[own], kind="stable")]
        # The first place of each image; sorted places are those of the nearest regions again.
        first = np.unique(self.image[nearest], return_index=True)[1]
        chosen = nearest[np.sort(first)[:n_crops]]
        return np.stack(
            [
                region_crop(
                    photograph(self.explanation, int(self.image[i])), int(self.region[i])
                )
                for i in chosen
            ]
        )
