"""What a file of an explanation must hold."""

from __future__ import annotations

import numpy as np

FORMAT = 1
OPTIONAL = ("region_embeddings", "soft_region_masks", "path_tau", "path_counts", "path_proba")
#: Axes of every array, those of one letter equally long, and the kinds of its values.
AXES = {
    "images": ("nhwc", "uf"),
    "regions": ("nhw", "iu"),
    "region_masks": ("nd", "b"),
    "selection_logits": ("nd", "f"),
    "selection_probs": ("nd", "f"),
    "tau": ("n", "f"),
    "proba": ("nm", "f"),
    "classes": ("m", "biufSU"),
    "certainty_reached": ("n", "b"),
    "certainty_threshold": ("", "iuf"),
    "region_embeddings": ("nkd", "f"),
    "soft_region_masks": ("nd", "f"),
    "path_tau": ("t", "f"),
    "path_counts": ("nt", "iu"),
    "path_proba": ("ntm", "f"),
}


def misfit(arrays: dict[str, np.ndarray]) -> str | None:
    """What is wrong with the first array that does not fit the ones before it."""
    lengths: dict[str, int] = {}
    for name, (axes, kinds) in AXES.items():
        if name not in arrays:
            continue
        array = arrays[name]
        if array.dtype.kind not in kinds:
            return f"{name} has values of type {array.dtype}"
        fits = array.ndim == len(axes) and all(
            lengths.setdefault(axis, length) == length
            for axis, length in zip(axes, array.shape, strict=True)
        )
        if not fits:
            expected = ", ".join(str(lengths.get(axis, axis)) for axis in axes)
            return f"{name} has shape {array.shape}, expected ({expected})"
    labels = arrays["regions"]
    if labels.size and not 0 <= labels.min() <= labels.max() < lengths["d"]:
        return (
            f"regions has labels from {labels.min()} to {labels.max()}, "
            f"region_masks has {lengths['d']} regions"
        )
    return None
