"""What the certainty of a fitted classifier means, learned from images that were held out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from p2pselect._answer_kinds import ONE_CLASS, AnswerKind
from p2pselect._targets import encode_targets, true_targets
from p2pselect.estimators._changes import changes, remembered
from p2pselect.estimators._inputs import in_unit_interval, refuse_folder, shared_inputs
from p2pselect.estimators._shared_settings import ConfiguredImageClassifier
from p2pselect.estimators._training_images import Labeled
from p2pselect.exceptions import InputError, brief
from p2pselect.selection import StopCalibration
from p2pselect.selection._calibrating import Asked, Paths, calibrated
from p2pselect.selection._prediction_run import PredictionRun
from p2pselect.selection._stop_report import StopReport
from p2pselect.training._isolation import usual_surroundings

#: A calibration is saved with its model; more images than these would add nothing.
MAX_CALIBRATION = 10_000


@shared_inputs
class CalibratedImageClassifier(ConfiguredImageClassifier):
    """How certainty is calibrated, and where the search stops from then on."""

    @abstractmethod
    def _run(self, X: Any, regions: Any = None, *, keep: str = "nothing") -> PredictionRun:
        """Predictions of images, with the settings as they are now."""

    @property
    @abstractmethod
    def _kind(self) -> AnswerKind:
        """What the fitted estimator answers."""

    @usual_surroundings()
    def calibrate(
        self,
        X: Any,
        y: Any,
        *,
        max_error: float | None = None,
        alpha: float | None = 0.1,
        per_class: bool = False,
        mean_kept: float | None = None,
        set_error: float | None = None,
        max_unfamiliar: float | None = None,
        regions: Any = None,
    ) -> Self:
        """Let certainty mean what it says, learned from images that were held out.

        The search stops at the first mask that makes the classifier certain, and so at the
        luckiest one: on new images fewer answers are right than the classifier says.  From now
        on, of the images that are answered at ``certainty_threshold`` that share is right on
        average, and predicted probabilities are those of being right.  Neither the ranking of
        the regions nor the classifier changes, only where the search stops and what is
        reported there.  Another ``fit`` ends it.

        The images must not have been in training, and must be like those to come.  Of more than
        10,000, as many are used, evenly spaced.

        Parameters
        ----------
        %(X)s
        y : array-like of shape (n,) or (n, n_labels)
            True labels.  A label that was not in training is never answered correctly.  If
            images have several labels, an answer is right if all of them are: a certainty is
            the probability of that.
        max_error : float in (0, 1), optional
            Instead of ``certainty_threshold``: the largest share of wrong answers among those
            that are given.
        alpha : float in (0, 1) or None, default=0.1
            With ``max_error``: the probability, over the held-out images, with which that may
            be exceeded.  None keeps the error on average only, and answers more.
        per_class : bool, default=False
            With ``max_error`` and ``alpha``: bound the error among the answers that name a
            class, for every class at once.  Classes for which these images do not show it are
            not answered; a warning says which, and how many images would be needed.
        mean_kept : float in (0, 1], optional
            Instead of ``certainty_threshold``: ask for the highest certainty at which images
            show, on average, no more than this share of their pixels.
        set_error : float in (0, 1), optional
            Also make prediction sets, ``explain(X).prediction_sets``: the true class is missing
            from at most this share of them on average, among the images that stop and among
            those that never become certain.  Every other image is used for this alone.
        max_unfamiliar : float in (0, 1), optional
            Do not answer images in which the selector finds nothing like what it learned
            (``explain(X).familiarity``).  Of images like these, at most this share goes
            unanswered for that reason, on average; everything else is then guaranteed for the
            images that remain.
        %(regions)s

        Returns
        -------
        Self
            The estimator itself, with a ``calibration_``.

        Raises
        ------
        InputError
            If the images or labels cannot be used, or no threshold keeps the error; the message
            says what these images support.

        References
        ----------
        Angelopoulos et al., "Learn then test: calibrating predictive algorithms to achieve risk
        control", 2021 (fixed sequence testing).  Papadopoulos et al., "Inductive confidence
        machines for regression", 2002 (split conformal prediction).  Sadinle, Lei & Wasserman,
        "Least ambiguous set-valued classifiers with bounded error levels", 2019 (the sets).

        Examples
        --------
        >>> from p2pselect import P2PClassifier, datasets, presets
        >>> scenes = datasets.make_digit_scenes(48, image_size=32, random_state=0)
        >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
        >>> clf = P2PClassifier(**settings, random_state=0)
        >>> clf = clf.fit(scenes.images[:24], scenes.target[:24] % 2)
        >>> clf = clf.calibrate(scenes.images[24:], scenes.target[24:] % 2)
        >>> len(clf.calibration_)
        24
        """
        for name, value in (
            ("max_error", max_error), ("alpha", alpha),
            ("set_error", set_error), ("max_unfamiliar", max_unfamiliar),
        ):  # fmt: skip
            if value is not None and not 0 < float(in_unit_interval(name, value)) < 1:
                raise InputError(f"{name} must be in (0, 1), got {brief(value)}")
        if mean_kept is not None:
            mean_kept = float(in_unit_interval("mean_kept", mean_kept))
            if max_error is not None:
                raise InputError("max_error and mean_kept both say where to stop: pass one")
        if per_class and (max_error is None or alpha is None):
            raise InputError(
                "per_class=True bounds errors: pass max_error, and a number as alpha"
            )
        check_is_fitted(self, "net_")
        kind = self._kind
        if kind != ONE_CLASS and (per_class or set_error is not None):
            name = "per_class" if per_class else "set_error"
            raise InputError(
                f"{name} is for models with one class per image, this one has several labels"
            )
        refuse_folder(X)
        run = self._run(X, regions, keep="kept")
        truth = true_targets(y, self.classes_, kind)
        if len(truth) != len(run.images):
            raise InputError(
                f"X and y must have the same length: got {len(run.images)} images and "
                f"{len(truth)} labels"
            )
        rows = np.linspace(0, len(truth) - 1, min(len(truth), MAX_CALIBRATION)).astype(int)
        run.images = run.images[rows]
        run.regions = None if run.regions is None else run.regions[rows]
        truth = encode_targets(truth[rows], self.classes_)
        paths = Paths(*run.paths(), truth, kind)
        settings = remembered(self, "prediction")
        # One calibration serves all of them; and any tau but its own is not calibrated.
        for name in ("certainty_threshold", "tau"):
            settings.pop(name, None)
        asked = Asked(max_error, alpha, per_class, mean_kept, set_error, max_unfamiliar)
        found = calibrated(paths, self.classes_, asked, self._search_options.fallback)
        self.calibration_ = replace(found, tau=self.tau, settings=settings)
        return self

    def _calibrate_on(self, held_out: Labeled) -> None:
        self.calibrate(
            held_out.images,
            held_out.labels,
            regions=held_out.regions,
            mean_kept=self._search_options.mean_kept,
        )

    def _stop_report(self, tau: float | str, asked: float | None) -> StopReport | None:
        """Where the search stops and what is reported there, if that is calibrated."""
        calibration: StopCalibration | None = getattr(self, "calibration_", None)
        if calibration is None or tau != calibration.tau:
            return None
        for name, used in changes(self, calibration.settings).items():
            raise InputError(
                f"{name} was set after calibrate, which used {brief(used)}: calibrate again, "
                "or set it back"
            )
        if asked is None and calibration.bound is not None:
            return calibration.reported(calibration.bound)
        return calibration.reported(
            calibration.threshold(float(self.certainty_threshold if asked is None else asked))
        )
