"""A trained P2P for machines without torch: its two networks as ONNX files."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from p2pselect._optional import need
from p2pselect.atomic_write import atomic_folder, write_json
from p2pselect.exceptions import InputError

__all__ = ["export_onnx"]

#: Raised whenever an older reader would misread the folder.
FORMAT = 3
SETTINGS, SELECTOR, CLASSIFIER = "settings.json", "selector.onnx", "classifier.onnx"
#: All that an export has; weights of more than 2 GB have a file of their own.
FILES = (SETTINGS, *(name + end for name in (SELECTOR, CLASSIFIER) for end in ("", ".data")))


def export_onnx(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted P2PClassifier for machines without torch: two ONNX files and its settings.

    :func:`p2pselect.runtime.load_exported` reads the folder, and gives the same answers.

    Programs in other languages find in it ``selector.onnx`` (``images`` (n, c, h, w), float32,
    in [0, 1], to ``maps`` (n, ``n_masks`` + k, h, w): selection logits and k embeddings for
    every pixel), ``classifier.onnx`` (``images`` with removed pixels replaced, to class
    probabilities ``proba`` (n, n_classes)) and ``settings.json``; n is free.  The settings are

    * the classes, and whether an image may have several of them (``multilabel``);
    * the images: what numbers and files mean (``images``, as the parameters of
      :func:`~p2pselect.images.as_images`), the channels that the networks see, their height and
      width (``image_size``), and how others are brought to it (``resize``);
    * the parameters of the ``regions``, whose ``engine`` is null if it is a function;
    * the search: the values of ``tau``, what each adds to the logit of a region
      (``logit_offset``), which is the largest mean of its logits (``n_masks`` of them, several
      where labels have masks of their own), which regions are then kept (``cut``: those of a
      positive logit, or the highest within a ``"budget"`` of tau), whether none may be
      (``allow_empty``), the certainty at which it stops (``certainty_threshold``), what an
      image shows that does not reach it (``fallback``), and what takes the place of removed
      pixels (``fill``);
    * what is reported, if certainty is calibrated (``report``): ``threshold`` is where the
      search stops instead (null: nowhere), ``asked`` is the share of right answers that it
      stands for, and slope and intercept are those of two curves, for images that got there
      (``answered``) and for the others: the certainty to report is
      ``1 / (1 + exp(-slope * log(p / (1 - p)) - intercept))`` of the largest probability p
      (of several labels: of the smallest ``max(p, 1 - p)``).
      ``answered_classes``, if there are any, says of every class whether it is answered, and
      ``set_proba`` from which probability on a class is in the prediction set, for the two
      kinds of images; the most probable class always is.  Images below
      ``lowest_familiarity`` are not answered: that is the mean logit over the regions of the
      highest logits that fill a tenth of the image.

    Parameters
    ----------
    estimator : P2PClassifier
        Fitted.
    path : str or path-like
        A new folder, or one that was exported before, which is replaced.

    Raises
    ------
    InputError
        If ``path`` is something else, or ``estimator`` is of another method, or drops patches
        (``networks__fill="drop"``).
    MissingPackageError
        If onnx or onnxscript is not installed: ``pip install "p2pselect[onnx]"``.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> export_onnx(clf, "digits.onnx")  # doctest: +SKIP
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    if estimator.fill_ == "drop":
        raise InputError(
            "export_onnx writes networks that every patch enters; this one was fitted with "
            "networks__fill='drop'"
        )
    for package in ("onnx", "onnxscript"):
        need(package, "export_onnx", "p2pselect[onnx]")
    if not hasattr(estimator, "trained_tau_"):
        raise InputError(
            f"export_onnx takes a fitted P2PClassifier, got a {type(estimator).__name__}"
        )
    settings = _settings(estimator)
    with atomic_folder(Path(path), FILES, "an export") as new:
        _write_networks(estimator, new)
        write_json(new / SETTINGS, settings)


def _settings(estimator: Any) -> dict[str, Any]:
    """All but the networks, as JSON has it."""
    estimator._check_tau(estimator.tau)
    grid = estimator._tau_grid(estimator.tau)
    rule, regions = estimator._selection_rule(), estimator.regions_._proposal()
    threshold = float(estimator.certainty_threshold)
    report = estimator._stop_report(estimator.tau, None)
    return {
        "format": FORMAT,
        "classes": np.asarray(estimator.classes_).tolist(),
        "classes_dtype": np.asarray(estimator.classes_).dtype.str,
        "images": estimator._meaning(fitted=True),
        "display_channels": estimator._image_options.display_channels,
        "n_masks_seen": estimator.n_masks_seen_,
        "n_channels_in": estimator.n_channels_in_,
        "n_channels_seen": estimator.n_channels_seen_,
        "image_size": list(rule.grid.size),
        "resize": rule.resize,
        "regions": {
            **regions.settings._asdict(),
            "engine": regions.engine if isinstance(regions.engine, str) else None,
            "resolution": regions.resolution,
            "on_channels": regions.on_channels,
        },
        "batch_size": rule.batch_size,
        "tau": grid.tolist(),
        "logit_offset": rule.offsets(grid).tolist(),
        "n_masks": estimator.module_.selector.n_masks,
        "cut": rule.cut,
        "fill": rule.fill,
        "multilabel": estimator.multilabel_,
        "allow_empty": rule.allow_empty,
        "fallback": rule.fallback,
        "certainty_threshold": threshold,
        "report": None
        if report is None
        else {
            **asdict(report),
            "asked": estimator.calibration_.asked(threshold),
            # JSON has no infinity.
            "threshold": report.threshold if np.isfinite(report.threshold) else None,
            "answered_classes": None
            if report.answered_classes is None
            else report.answered_classes.tolist(),
        },
    }


def _write_networks(estimator: Any, folder: Path) -> None:
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

    class Probabilities(nn.Module):
        """What a classifier says, in probabilities."""

        def __init__(self, network: nn.Module):
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return estimator._kind.probabilities(self.network(images))

    # Two images: of one, torch would conclude that n is always 1.
    shape = (2, estimator.n_channels_seen_, *estimator._grid.size)
    images = torch.zeros(shape, device=estimator.device_)
    model = estimator.module_
    _write(AtFullSize(model.selector), images, "maps", folder / SELECTOR)
    _write(Probabilities(model.classifier), images, "proba", folder / CLASSIFIER)


def _write(network: Any, images: Any, output: str, path: Path) -> None:
    import torch

    network.eval()
    with torch.inference_mode():
        # What networks keep from their first call must not come from the one that is traced.
        network(images)
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about its own code
            program = torch.onnx.export(
                network,
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
