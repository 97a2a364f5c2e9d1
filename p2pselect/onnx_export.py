"""A trained P2P for programs without torch: its two networks as ONNX files."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from p2pselect._optional import need
from p2pselect.atomic_write import atomic_folder, write_json
from p2pselect.exceptions import InputError, brief

__all__ = ["export_onnx"]

SETTINGS, SELECTOR, CLASSIFIER = "settings.json", "selector.onnx", "classifier.onnx"
#: All that an export has; weights of more than 2 GB have a file of their own.
FILES = (SETTINGS, *(name + end for name in (SELECTOR, CLASSIFIER) for end in ("", ".data")))


def export_onnx(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write the selector and the classifier of a fitted P2PClassifier as ONNX files.

    The folder holds ``selector.onnx`` (``images`` (n, c, h, w), float32, in [0, 1], to
    ``maps`` (n, 1 + k, h, w): a selection logit and k embeddings for every pixel),
    ``classifier.onnx`` (``images``, removed pixels 0, to ``logits`` (n, n_classes)) and
    ``settings.json``: the classes, the height and width of the images and how others are
    brought to it (``resize``), their number of channels c (3 are RGB unless they had another
    meaning in training), the values that become 0 and 1 (``value_range``: one pair for all
    channels, or one for each; null where uint8 is divided by 255 and floats are in [0, 1]), the
    values of tau of the search with what each of them adds to the logits of the regions, the
    certainty threshold, and what an image shows that does not reach it (the ``fallback``).
    n is free.
    If certainty is calibrated, ``stop_certainty`` is where the search stops, and ``report`` has
    slope and intercept of two curves, for images that got there and for the others: the
    certainty to report is ``1 / (1 + exp(-slope * log(p / (1 - p)) - intercept))`` of the
    largest probability p.  ``answered_classes``, if there are any, says of every class whether
    it is answered, and ``set_proba`` from which probability on a class is in the prediction
    set, again for images that got there and for the others; the most probable class always is.
    Images below ``lowest_familiarity`` are not answered: that is the mean logit over the
    regions of the highest logits that fill a tenth of the image.

    Parameters
    ----------
    estimator : P2PClassifier
        Fitted.
    path : str or path-like
        A new folder, or one that was exported before, which is replaced.

    Raises
    ------
    InputError
        If ``path`` is something else, removed pixels are not black (``networks__fill``), or
        images have several labels.
    MissingPackageError
        If onnx or onnxscript is not installed: ``pip install "p2pselect[onnx]"``.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> export_onnx(clf, "digits.onnx")  # doctest: +SKIP
    """
    check_is_fitted(estimator)
    if estimator.multilabel_:
        raise InputError("export_onnx: a model with several labels per image has no export yet")
    for package in ("onnx", "onnxscript"):
        need(package, "export_onnx", "p2pselect[onnx]")
    if estimator.fill_ != "black":
        raise InputError(
            "export_onnx writes models whose removed pixels are black; this one was fitted "
            f"with networks__fill={brief(estimator._network_options.fill)}"
        )
    estimator._check_tau(estimator.tau)
    grid = estimator._tau_grid(estimator.tau)
    rule = estimator._selection_rule()
    dynamic = estimator.tau == "dynamic"
    report = estimator._stop_report(estimator.tau, None)
    threshold = estimator.certainty_threshold if report is None else report.threshold
    settings = {
        "classes": np.asarray(estimator.classes_).tolist(),
        "image_size": list(rule.grid.size),
        "resize": rule.resize,
        "n_channels": estimator.n_channels_seen_,
        "value_range": estimator.value_range_,
        "tau": grid.tolist(),
        "logit_offset": rule.offsets(grid).tolist(),
        "selection": estimator.selection,
        "allow_empty": rule.allow_empty,
        "fallback": rule.fallback,
        # Without a search it has nothing to stop.
        "certainty_threshold": estimator.certainty_threshold if dynamic else None,
        # JSON has no infinity; no probability is above 1.
        "stop_certainty": min(float(threshold), 2.0) if dynamic else None,
        "report": None
        if report is None
        else {"answered": report.answered, "unanswered": report.unanswered},
        "answered_classes": None
        if report is None or report.answered_classes is None
        else report.answered_classes.tolist(),
        "set_proba": None if report is None else report.set_proba,
        "lowest_familiarity": None if report is None else report.lowest_familiarity,
    }
    with atomic_folder(Path(path), FILES, "an export") as new:
        _write(estimator, "selector", "maps", new / SELECTOR)
        _write(estimator, "classifier", "logits", new / CLASSIFIER)
        write_json(new / SETTINGS, settings)


def _write(estimator: Any, name: str, output: str, path: Path) -> None:
    import torch
    from torch import nn

    from p2pselect.nn._masking import upsample

    class AtFullSize(nn.Module):
        """Brings the maps of a selector to the size of its images."""

        def __init__(self, network: nn.Module):
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            # Part of the file, so that its readers need not interpolate as torch does.
            return upsample(self.network(images), images.shape[-2], images.shape[-1])

    network = getattr(estimator.module_, name)
    # Two images: of one, torch would conclude that n is always 1.
    shape = (2, estimator.n_channels_seen_, *estimator._grid.size)
    images = torch.zeros(shape, device=estimator.device_)
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about its own code
            program = torch.onnx.export(
                AtFullSize(network).eval() if name == "selector" else network.eval(),
                (images,),
                dynamic_shapes=({0: torch.export.Dim("n")},),
                input_names=["images"],
                output_names=[output],
                dynamo=True,
                verbose=False,
            )
            assert program is not None
            program.save(path)
    finally:
        logger.setLevel(before)
