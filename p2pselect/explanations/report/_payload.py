"""One image of an explanation as a small JSON object for the report's script."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._pixels import to_rgb

SHOWN_CLASSES = 8
SHOWN_STEPS = 20
SHOWN_ALONE = 8
# More regions than this (methods that choose single pixels) are shown in groups.
SHOWN_REGIONS = 1024
_LOSSLESS_PIXELS = 10_000


def image_uri(picture: np.ndarray, small_exact: bool = True) -> str:
    """A picture as a data URI in JPEG.

    Parameters
    ----------
    picture : ndarray of shape (h, w, 3), uint8
    small_exact : bool, default=True
        Use PNG for small pictures, which are shown so large that JPEG's blocks show.
    """
    buffer = io.BytesIO()
    if small_exact and picture.shape[0] * picture.shape[1] <= _LOSSLESS_PIXELS:
        kind, options = "png", {}
    else:
        kind, options = "jpeg", {"quality": 88, "subsampling": 0}
    Image.fromarray(picture).save(buffer, kind, optimize=True, **options)
    return f"data:image/{kind};base64,{_base64(buffer.getvalue())}"


def image_payload(exp: ExplanationArrays, image: int) -> dict[str, Any]:
    """What the script needs to draw one image, light up its regions and move its bars.

    Regions are renamed by their place in the order in which they are shown, so that a
    region is visible exactly when its number is smaller than a count.

    Parameters
    ----------
    exp : Explanation
    image : int

    Returns
    -------
    dict
        Ready for ``json.dumps``; ``map`` holds the renamed regions as runs.
    """
    # Of this image alone: what an explanation computes, it computes for all of its images.
    exp, image = exp[image], 0
    order = _order(exp, image)
    top = np.argsort(-exp.proba[image], kind="stable")[:SHOWN_CLASSES]
    steps = _steps(exp, image, top)
    edges = _group_edges(len(order), [*steps["regions"], int(exp.region_masks[image].sum())])
    group = np.searchsorted(edges, np.arange(len(order)), side="right") - 1
    place = np.empty(len(order), dtype=np.int64)
    place[order] = group
    n_groups = len(edges) - 1
    steps["groups"] = np.searchsorted(edges, steps["regions"]).tolist()
    probs = _group_means(exp.selection_probs[image][order], group, n_groups)
    payload = {
        "src": image_uri(to_rgb(exp.images[image])),
        "predicted": int(top[0]),
        "certainty": round(float(exp.certainty[image]), 4),
        "certain": bool(exp.certainty_reached[image]),
        "tau": round(float(exp.tau[image]), 4),
        "kept": round(float(exp.kept_fraction[image]), 4),
        "regions": len(order),
        "keptRegions": int(exp.visible_region_masks[image].sum()),
        "map": _runs(place[exp.regions[image]], n_groups),
        "wide": n_groups > 256,
        "probs": np.round(probs, 3).tolist(),
        "top": top.tolist(),
        "steps": steps,
    }
    if exp.region_embeddings is not None:
        payload["directions"] = _directions(exp, image, order, group, n_groups)
    if exp.soft_region_masks is not None:
        soft = _group_means(exp.soft_region_masks[image][order], group, n_groups)
        payload["soft"] = np.round(soft, 3).tolist()
    return payload


def _order(exp: ExplanationArrays, image: int) -> np.ndarray:
    """Regions by falling score; kept ones first, should a method not keep the best."""
    ranked = exp.ranking[image]
    ranked = ranked[ranked < exp.n_regions[image]]
    return ranked[np.argsort(~exp.region_masks[image][ranked], kind="stable")]


def _steps(exp: ExplanationArrays, image: int, top: np.ndarray) -> dict[str, Any]:
    """The stops of the slider: tau, regions shown, probabilities, and where it stopped."""
    kept = int(exp.region_masks[image].sum())
    final = np.round(exp.proba[image][top].astype(float), 4).tolist()
    if exp.soft_region_masks is not None:
        return {"tau": None, "regions": [kept], "proba": [final], "stop": 0}
    if exp.path_tau is not None and exp.path_counts is not None:
        stop = int(np.abs(exp.path_tau - exp.tau[image]).argmin())
        if exp.path_counts[image, stop] == kept:
            proba: list[Any] = [None] * len(exp.path_tau)
            if exp.path_proba is not None:
                along = exp.path_proba[image, : stop + 1][:, top].astype(float)
                proba[: stop + 1] = [
                    np.round(row, 4).tolist() if np.isfinite(row).all() else None
                    for row in along
                ]
            proba[stop] = final
            # The first tau may show many regions at once: before it, a few at a time.
            first = int(exp.path_counts[image, 0])
            alone = np.unique(np.linspace(1, first, min(first, SHOWN_ALONE) + 1).astype(int))
            before = alone[alone < first].tolist()
            return {
                "tau": [None] * len(before) + np.round(exp.path_tau.astype(float), 4).tolist(),
                "regions": before + exp.path_counts[image].tolist(),
                "proba": [None] * len(before) + proba,
                "stop": len(before) + stop,
            }
    # No search was recorded: the order is known, probabilities only for what was kept.
    n_regions = int(exp.n_regions[image])
    counts = np.linspace(1, n_regions, min(SHOWN_STEPS, n_regions)).round().astype(int)
    counts = np.union1d(counts, [kept])
    stop = int(np.searchsorted(counts, kept))
    known = [final if i == stop else None for i in range(len(counts))]
    return {"tau": None, "regions": counts.tolist(), "proba": known, "stop": stop}


def _group_edges(n_regions: int, counts: list[int]) -> np.ndarray:
    """Where groups of consecutive places start, no group crossing one of ``counts``."""
    if n_regions <= SHOWN_REGIONS:
        return np.arange(n_regions + 1)
    even = np.linspace(0, n_regions, 200).round().astype(int)
    return np.union1d(even, counts)


def _group_means(values: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    total = np.bincount(group, weights=values.astype(float), minlength=n_groups)
    return total / np.bincount(group, minlength=n_groups)


def _directions(
    exp: ExplanationArrays, image: int, order: np.ndarray, group: np.ndarray, n_groups: int
) -> str:
    """Embeddings scaled to length 127, as bytes: their products give the correlations.

    The covariance is ``E.T @ E``, so that the correlation of two regions is the product
    of their embeddings at unit length; a d x d matrix need not be stored.
    """
    assert exp.region_embeddings is not None
    embedding = exp.region_embeddings[image][:, order].astype(float)
    means = np.stack([_group_means(row, group, n_groups) for row in embedding])
    length = np.linalg.norm(means, axis=0)
    scaled = 127 * means / np.where(length > 0, length, 1)
    return _base64(scaled.round().astype(np.int8).T.tobytes())


def _runs(places: np.ndarray, n_groups: int) -> str:
    """Run-length code of a map, row by row: pairs (value, length - 1) of 1 or 2 bytes."""
    kind = np.dtype("<u2" if n_groups > 256 else "u1")
    longest = np.iinfo(kind).max + 1
    flat = places.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    lengths = np.diff(np.r_[starts, flat.size])
    pieces = -(-lengths // longest)
    values = np.repeat(flat[starts], pieces)
    cut = np.full(len(values), longest)
    cut[np.cumsum(pieces) - 1] = lengths - longest * (pieces - 1)
    return _base64(np.stack([values, cut - 1], axis=1).astype(kind).tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
