"""A model that was exported, without torch: the same answers from the same images."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from p2pselect._answer_kinds import LABEL_SET, ONE_CLASS
from p2pselect._answering import named
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._fill import filled
from p2pselect._model_folder import readable
from p2pselect._optional import need
from p2pselect._region_sums import region_sums
from p2pselect.exceptions import InputError, ModelFileError, brief, brief_path
from p2pselect.images import as_images
from p2pselect.images._meaning import check_same_channels
from p2pselect.onnx_export import CLASSIFIER, FORMAT, SELECTOR, SETTINGS
from p2pselect.regions import RegionEngine, region_areas
from p2pselect.regions._engines import EngineSettings, check_engine
from p2pselect.regions._proposal import RegionProposal
from p2pselect.selection._search_run import ScoredBatch, SearchRun
from p2pselect.selection._selection_rule import SelectionRule
from p2pselect.selection._stop_report import StopReport

__all__ = ["ExportedClassifier", "load_exported"]

#: Maps images (n, c, h, w) to pixel maps or to probabilities.
Network = Callable[[np.ndarray], np.ndarray]


def load_exported(
    path: str | os.PathLike[str], *, engine: RegionEngine | None = None
) -> ExportedClassifier:
    """Load what :func:`~p2pselect.export_onnx` wrote, on a machine that need not have torch.

    Parameters
    ----------
    path : str or path-like
        The folder.
    engine : callable, optional
        The region engine, of a model whose ``regions`` are a function of yours: a file cannot
        hold it.

    Returns
    -------
    ExportedClassifier
        The model.

    Raises
    ------
    ModelFileError
        If the folder is not an export, is damaged, or was written by another version.
    InputError
        If the model needs an ``engine`` and there is none, or the other way round.
    MissingPackageError
        If onnxruntime is not installed.

    Examples
    --------
    >>> from p2pselect.runtime import load_exported
    >>> clf = load_exported("digits.onnx")  # doctest: +SKIP
    >>> clf.predict(["photo.jpg"])  # doctest: +SKIP
    """
    need("onnxruntime", "load_exported", "onnxruntime")
    folder = Path(path)
    with readable(folder):
        settings = _read_settings(folder)
        stated = settings["regions"]["engine"]
    if (stated is None) != (engine is not None):
        needed = "is a function, which its export" if stated is None else f"is {brief(stated)}"
        raise InputError(
            f"engine: the region engine of this model {needed}"
            + (" cannot hold: pass engine=" if stated is None else ", and no other will do")
        )
    with readable(folder):
        select, classify = (_network(folder / name) for name in (SELECTOR, CLASSIFIER))
        return ExportedClassifier(settings, select, classify, engine or stated)


def _read_settings(folder: Path) -> dict[str, Any]:
    file = folder / SETTINGS
    if not file.is_file():
        raise ModelFileError(f"{brief_path(folder)} is not an export: it has no {SETTINGS}")
    settings = json.loads(file.read_text(encoding="utf-8"))
    if settings["format"] != FORMAT:
        raise ModelFileError(
            f"{brief_path(file)} has format {brief(settings['format'])}, and this version of "
            f"p2pselect reads format {FORMAT}: export the model again"
        )
    return settings


def _network(file: Path) -> Network:
    from onnxruntime import InferenceSession

    session = InferenceSession(os.fspath(file), providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> np.ndarray:
        return session.run(None, {"images": images})[0]

    return run


class ExportedClassifier:
    """A P2P without torch, made by :func:`load_exported`.

    It proposes the same regions, searches in the same way and gives the same answers as the
    estimator that was exported; probabilities agree to about 1e-5.

    Parameters
    ----------
    settings : dict
        What ``settings.json`` holds.
    select : callable
        Maps images (n, c, h, w) to pixel maps.
    classify : callable
        Maps images, with removed pixels replaced, to class probabilities.
    engine : str or callable
        What divides images into regions.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.

    See Also
    --------
    p2pselect.export_onnx : Writes what is loaded here.

    Examples
    --------
    >>> from p2pselect.runtime import load_exported
    >>> clf = load_exported("digits.onnx")  # doctest: +SKIP
    >>> clf.explain("photo.jpg").kept_fraction  # doctest: +SKIP
    """

    def __init__(
        self,
        settings: dict[str, Any],
        select: Network,
        classify: Network,
        engine: str | RegionEngine,
    ):
        check_engine(engine)
        self.classes_ = np.array(settings["classes"], dtype=settings["classes_dtype"])
        self.n_channels_seen_ = settings["n_channels_seen"]
        self.n_channels_in_ = settings["n_channels_in"]
        self._display_channels = _tuples(settings["display_channels"])
        self.n_masks_seen_ = settings["n_masks_seen"]
        self._images = {name: _tuples(value) for name, value in settings["images"].items()}
        regions = {**settings["regions"]}
        own = {name: regions.pop(name) for name in EngineSettings._fields}
        regions |= {"engine": engine, "on_channels": _tuples(regions["on_channels"])}
        proposal = RegionProposal(**regions, settings=EngineSettings(**own))
        height, width = settings["image_size"]
        self._tau = np.array(settings["tau"])
        self._threshold = settings["certainty_threshold"]
        offsets = np.array(settings["logit_offset"], np.float32)
        self._rule = SelectionRule(
            score=lambda images, labels, target: _scores(
                select(images), labels, settings["n_masks"], target
            ),
            classify=classify,
            propose=proposal.batch,
            image_size=(height, width),
            batch_size=settings["batch_size"],
            device=None,
            cut=settings["cut"],
            tau_offsets=lambda grid: offsets,
            allow_empty=settings["allow_empty"],
            resize=settings["resize"],
            fallback=settings["fallback"],
            kind=LABEL_SET if settings["multilabel"] else ONE_CLASS,
            fill=_tuples(settings["fill"]),
        )
        stored = dict(settings["report"] or {})
        self._asked = stored.pop("asked", None)
        self._report = _report(stored) if stored else None

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities from the kept regions alone.

        Parameters
        ----------
        X : images
            Anything that :func:`~p2pselect.images.as_images` takes.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            Class probabilities.  Rows sum to 1; columns follow ``classes_``.  If images have
            several labels, the probability of each of them.

        Raises
        ------
        InputError
            If the images cannot be used, or have another number of channels.
        """
        run = self._run(X)
        return run.proba(run.search())

    def predict(self, X: Any, *, reject: Any = None) -> np.ndarray:
        """Predict the most probable label of every image.

        Parameters
        ----------
        X : images
            Anything that :func:`~p2pselect.images.as_images` takes.
        reject : object, optional
            What to return in the place of a label for images that are not answered; by default
            they get the most probable label, too.

        Returns
        -------
        ndarray of shape (n,) or (n, n_labels)
            Labels, of the type that ``fit`` was given; of type object where ``reject`` is of
            another one.  If images have several labels: 1 for every label that is more
            probable than not, and 0 for the others.
        """
        run = self._run(X)
        result = run.search()
        kind = self._rule.kind
        labels = kind.labels(kind.answers(run.proba(result)), self.classes_)
        return labels if reject is None else named(labels, run.answered(result), reject)

    def explain(
        self, X: Any, *, max_kept: float | None = None, target: Any = None
    ) -> ExplanationArrays:
        """Select regions, predict from them, and return what was shown.

        Parameters
        ----------
        X : images
            Anything that :func:`~p2pselect.images.as_images` takes.
        max_kept : float in (0, 1], optional
            Largest fraction of an image that may be shown.
        target : label, optional
            If images have several labels, one of ``classes_``: show what suffices to decide
            about this one, as :meth:`~p2pselect.P2PClassifier.explain` does.

        Returns
        -------
        ExplanationArrays
            Has every attribute of :class:`~p2pselect.Explanation`, ``pixel_masks``,
            ``kept_fraction``, ``answered``, ``unanswered_reasons`` and ``tau`` among them, and
            ``masks_at_original_size()``; but nothing that draws or writes files.

        Raises
        ------
        InputError
            If an option is out of range, or the images cannot be used.
        """
        if max_kept is not None and not 0 < max_kept <= 1:
            raise InputError(f"max_kept must be a number in (0, 1], got {brief(max_kept)}")
        run = self._run(X, target, keep="all", max_kept=max_kept)
        arrays = run.arrays(self.classes_)
        arrays |= {
            "display_channels": self._display_channels,
            "n_masks_seen": self.n_masks_seen_,
        }
        return ExplanationArrays(**arrays)

    def _run(self, X: Any, target: Any = None, **how: Any) -> _Run:
        images = as_images(X, **self._images)
        check_same_channels(images, self)
        rule, report = self._rule, self._report
        if target is not None:
            # Calibration is of all labels together.
            rule, report = replace(rule, kind=rule.kind.about(target, self.classes_)), None
        threshold = self._threshold if report is None else self._asked
        return _Run(rule, images, None, self._tau, threshold, report=report, **how)


@dataclass(eq=False)
class _Run(SearchRun):
    """The search with networks that map arrays of NumPy to such arrays."""

    def _score(self, raw: np.ndarray, labels: np.ndarray) -> ScoredBatch:
        target = getattr(self.rule.kind, "target", None)
        means, areas = self.rule.score(_as_floats(raw), labels, target)
        logits = np.where(areas > 0, means[:, 0], np.float32(-np.inf))
        ranking = np.argsort(-logits, axis=1, kind="stable")
        ranks = np.argsort(ranking, axis=1)
        # Padding comes after every region, and so is never kept.
        ranks = np.pad(ranks, [(0, 0), (1, 0)], constant_values=ranks.shape[1])
        flat = np.take_along_axis(ranks, labels.reshape(len(labels), -1) + 1, axis=1)
        return ScoredBatch(
            raw,
            flat.reshape(labels.shape).astype(np.int32),
            logits,
            means[:, 1:],
            np.take_along_axis(logits, ranking, axis=1),
            np.take_along_axis(areas, ranking, axis=1),
        )

    def _classify(self, images: Any, pixel_ranks: Any, kept: np.ndarray) -> np.ndarray:
        masks = (pixel_ranks < kept[:, None, None])[:, None].astype(np.float32)
        return self.rule.classify(filled(_as_floats(images), masks, self.rule.fill))

    def _join(self, arrays: list[Any]) -> Any:
        return np.concatenate(arrays)

    def _to_numpy(self, values: Any) -> np.ndarray:
        return values


def _as_floats(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w, c), uint8 or float, -> (n, c, h, w) float32 in [0, 1]."""
    planes = np.ascontiguousarray(np.moveaxis(images, 3, 1), np.float32)
    return planes / np.float32(255) if images.dtype == np.uint8 else planes


def _scores(
    maps: np.ndarray, labels: np.ndarray, n_masks: int, target: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and embeddings of every region, (n, 1 + k, d), and the areas (n, d)."""
    means, areas = _region_means(maps, labels)
    # Where labels have masks of their own, that of the target; or what any of them keeps.
    own = slice(n_masks) if target is None or n_masks == 1 else slice(target, target + 1)
    logits = means[:, own].max(axis=1, keepdims=True)
    return np.concatenate([logits, means[:, n_masks:]], axis=1), areas


def _region_means(maps: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of every map (n, k, h, w) over every region, (n, k, d), and the areas (n, d)."""
    areas = region_areas(labels)
    sums = [region_sums(labels, maps[:, i]) for i in range(maps.shape[1])]
    means = np.stack(sums, axis=1) / np.maximum(areas, 1)[:, None]
    return means.astype(np.float32), areas.astype(np.float32)


def _report(stored: dict[str, Any]) -> StopReport:
    values = {name: _tuples(value) for name, value in stored.items()}
    if values["threshold"] is None:  # JSON has no infinity
        values["threshold"] = np.inf
    if values["answered_classes"] is not None:
        values["answered_classes"] = np.array(values["answered_classes"])
    return StopReport(**values)


def _tuples(value: Any) -> Any:
    """A value of JSON with tuples in the place of lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
