"""One image of an explanation as a small JSON object for the report's script."""

from __future__ import annotations

import base64
import io
import json
import zlib
from typing import Any

import numpy as np
from PIL import Image

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._photographs import Photograph, brightness
from p2pselect.explanations.figures._words import unanswered_words

SHOWN_CLASSES = 8
SHOWN_STEPS = 20
# If there are more regions (of methods that choose single pixels), they form groups.
SHOWN_REGIONS = 1024
_LOSSLESS_PIXELS = 10_000
_QUALITY = 75
#: The character that stands for 0 in a region map: one that JSON has not to escape.
_ZERO = ord("0")
#: Longer runs are split: a length is a character, and those further on may be surrogates.
_LONGEST_RUN = 1 << 15


def image_uri(picture: np.ndarray, small_exact: bool = True) -> str:
    """A picture (h, w, 3), uint8, as a data URI, encoded as :func:`image_file` says."""
    return _uri(*image_file(picture, small_exact))


def image_file(picture: np.ndarray, small_exact: bool = True) -> tuple[str, bytes]:
    """The format and the content of a file of a picture (h, w, 3), uint8.

    JPEG, but with `small_exact` PNG for small pictures, which are enlarged so much that JPEG's
    blocks would be seen.
    """
    if small_exact and picture.shape[0] * picture.shape[1] <= _LOSSLESS_PIXELS:
        return _encoded(Image.fromarray(picture), "png", optimize=True)
    # Huffman tables of its own would double the time, for 4 % of the size.
    return _encoded(Image.fromarray(picture), "jpeg", quality=_QUALITY)


def mask_uri(mask: np.ndarray) -> str:
    """A PNG of one bit for every pixel of a mask (h, w)."""
    return _uri(*_encoded(Image.fromarray(mask), "png", optimize=True))


def shade_uri(bright: np.ndarray) -> str:
    """A PNG that is laid over a picture to leave what the classifier saw of it.

    It is black, and covers every pixel by what is missing of its brightness (h, w), which is
    bool, or float in [0, 1].
    """
    if bright.dtype == bool:
        # One bit for every pixel, of which 1 is transparent.
        return _uri(*_encoded(Image.fromarray(bright), "png", transparency=1))
    shade = Image.fromarray((255 * (1 - bright)).round().astype(np.uint8))
    shade.putpalette(bytes(3 * 256))
    return _uri(*_encoded(shade, "png", transparency=bytes(range(256))))


def _encoded(picture: Image.Image, kind: str, **options: Any) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return kind, buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{_base64(content)}"


def card_payload(one: ExplanationArrays, picture: Photograph) -> dict[str, Any]:
    """What a card shows of one image, without the picture itself."""
    return {
        "shade": shade_uri(brightness(one, picture)),
        "size": picture.pixels.shape[:2],
        "sharp": picture.is_sharp,
        "predicted": one._kind.codes(one._kind.answers(one.proba))[0],
        "certainty": round(float(one.certainty[0]), 4),
        "answered": bool(one.answered[0]),
        "reasons": one.unanswered_reasons[0],
        "why": unanswered_words(one, 0),
        "kept": round(float(one.kept_fraction[0]), 6),
        "regions": int(one.n_regions[0]),
        "keptRegions": int(one.visible_region_masks[0].sum()),
    }


def image_payload(one: ExplanationArrays, picture: Photograph) -> dict[str, Any]:
    """All that the page shows of one image."""
    return {
        **card_payload(one, picture),
        "src": image_uri(picture.pixels),
        **detail_payload(one, picture),
    }


def packed(payload: dict[str, Any]) -> str:
    """What is only looked at when an image is opened, as deflated JSON in base64."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _base64(zlib.compress(text.encode()))


def detail_payload(one: ExplanationArrays, picture: Photograph) -> dict[str, Any]:
    """What the script needs beside the card to light up regions and move the bars.

    Regions are renamed by their place in the order in which they are shown, so that a
    region is visible exactly when its number is smaller than a count; ``map`` holds those of
    the model's grid as runs, and ``box`` says where on the picture that grid lies.
    """
    order = _order(one)
    top = one._kind.ranking(one.proba[0])[:SHOWN_CLASSES]
    steps = _steps(one, top)
    edges = _group_edges(len(order), [*steps["regions"], int(one.region_masks[0].sum())])
    group = np.searchsorted(edges, np.arange(len(order)), side="right") - 1
    n_groups = len(edges) - 1
    # The last one is for pixels of no region, whose label is -1.
    place = np.full(len(order) + 1, n_groups, np.uint16)
    place[order] = group
    steps["groups"] = np.searchsorted(edges, steps["regions"]).tolist()
    probs = _group_means(one.selection_probs[0][order], group, n_groups)
    # Numbers are rounded, since digits that nobody sees would only make the page larger.
    (placement,) = one._placements()
    payload = {
        "grid": picture.cells.shape,
        "box": picture.box,
        # Of the photograph itself, in whose pixels corrections are written.
        "photo": placement.original,
        "source": placement.source,
        "tau": round(float(one.tau[0]), 4),
        "map": _runs(place.take(picture.cells)),
        "probs": np.round(probs, 3).tolist(),
        "top": top.tolist(),
        "steps": steps,
    }
    if one.region_embeddings is not None:
        embedding = one.region_embeddings[0][:, order].astype(float)
        means = np.stack([_group_means(row, group, n_groups) for row in embedding])
        payload["directions"] = _directions(means)
    if one.soft_region_masks is not None:
        soft = _group_means(one.soft_region_masks[0][order], group, n_groups)
        payload["soft"] = np.round(soft, 3).tolist()
    return payload


def _order(one: ExplanationArrays) -> np.ndarray:
    """Regions from highest to lowest score; kept ones first, if a method keeps others."""
    ranked = one.ranking[0]
    # The ranking holds the padding as well.
    ranked = ranked[ranked < one.n_regions[0]]
    return ranked[np.argsort(~one.region_masks[0][ranked], kind="stable")]


def _steps(one: ExplanationArrays, top: np.ndarray) -> dict[str, Any]:
    """The stops of the slider: tau, regions shown, probabilities, and where the model stopped.

    Before that are only those at which the model was asked: it has seen no others.
    """
    kept = int(one.region_masks[0].sum())
    final = np.round(one.proba[0][top].astype(float), 4).tolist()
    if one.soft_region_masks is not None:
        # A continuous mask shows all regions at once: there is nothing to slide through.
        return {"tau": None, "regions": [kept], "proba": [final], "stop": 0}
    if one.path_tau is not None and one.path_counts is not None:
        stop = int(np.abs(one.path_tau - one.tau[0]).argmin())
        # The nearest tau of the path is that of the image only if it keeps as many regions.
        if one.path_counts[0, stop] == kept:
            proba = np.zeros((0, len(one.classes)))
            if one.path_proba is not None:
                proba = one.path_proba[0, :stop]
            before = np.flatnonzero(np.isfinite(proba).all(axis=1))
            shown = [*before, *range(stop, len(one.path_tau))]
            along = proba[before][:, top].astype(float)
            return {
                "tau": np.round(one.path_tau[shown].astype(float), 4).tolist(),
                "regions": one.path_counts[0, shown].tolist(),
                "proba": [*np.round(along, 4).tolist(), final],
                "stop": len(before),
            }
    # No search was recorded: what comes after what was kept is known nevertheless.
    n_regions = int(one.n_regions[0])
    counts = np.linspace(kept, n_regions, min(SHOWN_STEPS, n_regions - kept + 1))
    regions = np.unique(counts.round().astype(int)).tolist()
    return {"tau": None, "regions": regions, "proba": [final], "stop": 0}


def _group_edges(n_regions: int, counts: list[int]) -> np.ndarray:
    """Where groups of consecutive places start, such that none extends across a count."""
    if n_regions <= SHOWN_REGIONS:
        return np.arange(n_regions + 1)
    even = np.linspace(0, n_regions, 200).round().astype(int)
    return np.union1d(even, counts)


def _group_means(values: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    total = np.bincount(group, weights=values.astype(float), minlength=n_groups)
    return total / np.bincount(group, minlength=n_groups)


def _directions(embedding: np.ndarray) -> str:
    """Embeddings scaled to length 127, as bytes: their products give the correlations.

    The covariance is ``E.T @ E``, so the correlation of two regions is the product of their
    embeddings at unit length, and no d x d matrix has to be stored.
    """
    length = np.linalg.norm(embedding, axis=0)
    scaled = 127 * embedding / np.where(length > 0, length, 1)
    return _base64(scaled.round().astype(np.int8).T.tobytes())


def _runs(places: np.ndarray) -> str:
    """Run-length code of a map, row by row: a character for every value, then every length."""
    flat = places.ravel()
    begins = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::_LONGEST_RUN] = True
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=flat.size)
    # Apart, since that packs best.
    codes = _ZERO + np.concatenate([flat[starts], lengths])
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
