"""Score a model on a folder of labeled images, and on object masks if any.

examples:
  p2pselect evaluate leaves.model leaves/test
  p2pselect evaluate leaves.model leaves/images --masks-dir leaves/masks
  p2pselect evaluate leaves.model --table leaves/labels.csv
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from p2pselect.atomic_write import write_json
from p2pselect.cli._arguments import add_shared, check_outputs
from p2pselect.cli._tables import add_table, rows_of

if TYPE_CHECKING:
    import numpy as np


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect evaluate``."""
    add_shared(parser, "model", "folder", "--masks-dir", "--json", "--certainty")
    add_shared(parser, "--on-error", "--max-pixels")
    add_table(parser, "folder", usual="test")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect evaluate`` says."""
    check_outputs(options, files=["--json"])
    place = rows_of(options, "folder", usual="test") or options.folder
    import numpy as np
    from sklearn.metrics import f1_score

    from p2pselect import metrics
    from p2pselect.cli._files import labeled_for, load_model, object_masks
    from p2pselect.metrics._stops import answer_figures

    model = load_model(options.model, options.certainty)
    found, truth = labeled_for(model, place, options.on_error)
    images, labels = found.images, found.labels
    masks = object_masks(model, found, options.masks_dir)
    exp = model.explain(images)
    correct = exp._right(np.asarray(truth))
    insertion = metrics.insertion_fidelity_curve(exp, model.predict_proba_masked)
    deletion = metrics.deletion_fidelity_curve(exp, model.predict_proba_masked)
    figures: dict[str, float | None] = {
        "n_images": len(labels),
        **answer_figures(exp.answered, exp.kept_fraction, correct),
        "calibration_error": float(metrics.expected_calibration_error(correct, exp.certainty)),
        "calibration_error_floor": float(metrics.calibration_error_floor(exp.certainty)),
        "insertion_fidelity": float(insertion.area),
        "deletion_fidelity": float(deletion.area),
    }
    if exp.multilabel:
        figures["f1_macro"] = float(f1_score(truth, exp.predicted, average="macro"))
    if masks is not None:
        figures["n_masks"] = int(masks.any(axis=(1, 2)).sum())
        figures["n_masks_taught"] = exp.n_masks_seen
        figures["empty"] = metrics.n_empty_masks(exp.pixel_masks)
        figures |= localization_figures(exp.pixel_masks, masks)
    for name, value in figures.items():
        print(f"{name:24s} {value:.4f}" if isinstance(value, float) else f"{name:24s} {value}")
    if masks is not None and exp.n_masks_seen:
        print("localization is supervised: masks have taught the model where the evidence is")
    what = "label: F1" if exp.multilabel else "class: accuracy"
    print(f"{'':24s} per {what}, kept")
    # Names are not cut: those of some data sets differ only at their ends.
    width = max(24, *(len(label) for label in found.counts))
    kept_fraction = exp.kept_fraction
    for column, label in enumerate(found.counts):
        if exp.multilabel:
            own = truth[:, column] > 0
            score = f1_score(own, exp.predicted[:, column])
        else:
            own = labels == label
            score = correct[own].mean()
        kept = kept_fraction[own].mean() if own.any() else np.nan
        print(f"{label:{width}s} {score:.4f}, {kept:.4f}")
    if options.json:
        write_json(options.json, figures, indent=2)


def localization_figures(kept: np.ndarray, masks: np.ndarray | None) -> dict[str, float | None]:
    """How well kept pixels lie on the objects, and two references; None without masks."""
    from p2pselect import metrics

    if masks is None:
        return dict.fromkeys(("localization", "random_localization", "center_localization"))
    return {
        "localization": float(metrics.localization_score(kept, masks)),
        "random_localization": float(metrics.random_localization(masks)),
        "center_localization": float(metrics.center_localization(kept, masks)),
    }
