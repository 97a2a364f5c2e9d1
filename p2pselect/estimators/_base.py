"""What every method does once it is fitted: predict, explain, save."""

from __future__ import annotations

import os
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from p2pselect._answer_kinds import LABEL_SET, ONE_CLASS, AnswerKind
from p2pselect._answering import named
from p2pselect._model_folder import read_config, readable
from p2pselect._targets import true_targets
from p2pselect.estimators._changes import refuse_changes, remembered
from p2pselect.estimators._fitting import TrainableImageClassifier
from p2pselect.estimators._inputs import (
    in_unit_interval,
    read_images,
    resolve_regions,
    shared_inputs,
)
from p2pselect.estimators._saving import load_model, save_model
from p2pselect.exceptions import InputError
from p2pselect.explanations._explanation import Explanation
from p2pselect.images import as_images
from p2pselect.images._meaning import check_display_channels, check_same_channels
from p2pselect.nn._model import RegionScores
from p2pselect.selection import SelectionRule
from p2pselect.selection._certainty_search import make_tau_grid
from p2pselect.selection._prediction_run import PredictionRun
from p2pselect.training._data import as_float_images
from p2pselect.training._isolation import Randomness, resolve_device, usual_surroundings


@shared_inputs
class SelectiveImageClassifier(TransformerMixin, ClassifierMixin, TrainableImageClassifier):
    r"""Base of every method: a method says what its networks are and what they learn.

    A method is a subclass that implements two hooks and declares the settings that it adds with
    :func:`~p2pselect.estimators.setting`.  Hooks begin with an underscore because only
    subclasses use them.

    ``_build_model(n_classes)``
        Returns the networks as one module, under the estimator's seed.  Given images
        (n, 3, h, w) in [0, 1] it returns logits (n, n_classes);
        :class:`~p2pselect.nn.SelectiveModel` is one.  ``self._build_scorer(n_maps)`` and
        ``self._build_classifier(n_classes)`` build what ``selector`` and ``classifier`` name.
    ``_phases()``
        Returns the phases of training, a sequence of :class:`~p2pselect.training.Phase`: what
        learns from which objective, and for how many epochs.

    Others have a default:

    ``_score_regions(images, regions)``
        Returns :class:`~p2pselect.nn.RegionScores` of a batch: what is kept first, and, for a
        classifier that sees continuous masks, what it sees.  Default: ``module_.score``.
    ``_selection_rule()``
        Returns the :class:`~p2pselect.selection.SelectionRule`; a method that does not keep the
        most probable regions within a budget of tau replaces a part of it.
    ``_check_tau(tau)``
        Raises where what was learned has no answer for this tau.
    ``_prediction_parameters()``
        Names of the settings that training does not depend on.  Default: those that are
        declared with ``role="prediction"``.
    ``_before_training(n_images, continues)``, ``_after_training(data)``
        Called before the networks are built (or go on learning), and when they have learned.
    ``_needs_rows_for()``
        Names what needs training images in any order, which a stream cannot give.
    ``_several_labels``
        A class attribute, False by default: True where labels have no part in the objective
        but by ``step.cross_entropy``, so that images may have several labels.

    Parameters
    ----------
    {parameters}

    See Also
    --------
    p2pselect.testing.check_image_classifier : Checks what every method must keep.

    Examples
    --------
    >>> from p2pselect.nn import SelectiveModel
    >>> from p2pselect.training import Phase
    >>> class Plain(SelectiveImageClassifier):
    ...     def _build_model(self, n_classes):
    ...         return SelectiveModel(self._build_scorer(1), self._build_classifier(n_classes))
    ...
    ...     def _phases(self):
    ...         learn = ("selector", "classifier")
    ...         return [Phase("fit", self.max_epochs, self._objective, learn)]
    ...
    ...     def _objective(self, step):
    ...         masks = step.model.score(step.images, step.regions).maps[:, 0].sigmoid()
    ...         logits = step.model.classify(step.images, step.regions, masks)
    ...         return {"loss": step.cross_entropy(logits)}
    >>> Plain(tau=0.3)
    Plain(tau=0.3)
    """

    # -- hooks ---------------------------------------------------------------------------

    def _score_regions(self, images: Tensor, regions: Tensor) -> RegionScores:
        """Score the regions of a batch; tau has no part in it."""
        return self.module_.score(images, regions)

    def _selection_rule(self) -> SelectionRule:
        """How the fitted estimator, with its parameters as they are now, selects regions."""
        kind = self._kind
        return SelectionRule(
            score=self._score_regions,
            classify=lambda images: kind.probabilities(self.module_(images)),
            propose=self.regions_.propose_batch,
            image_size=self.image_size,
            resize=self.resize,
            batch_size=self.batch_size,
            device=self.device_,
            allow_empty=self._search_options.allow_empty,
            fallback=self._search_options.fallback,
            method=type(self).__name__,
            kind=kind,
            fill=self.fill_,
        )

    @property
    def _kind(self) -> AnswerKind:
        return LABEL_SET if self.multilabel_ else ONE_CLASS

    def _check_tau(self, tau: float | str) -> None:
        """Raise where what was learned has no answer for this tau."""

    # -- prediction ----------------------------------------------------------------------

    @usual_surroundings()
    def predict_proba(self, X: Any, *, regions: Any = None) -> np.ndarray:
        """Predict class probabilities from the kept regions alone.

        Parameters
        ----------
        %(X)s
        %(regions)s

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            Class probabilities.  Rows sum to 1; columns follow ``classes_``.  If images have
            several labels, the probability of each of them.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit``.
        InputError
            If the images cannot be used, or have another number of channels.
        """
        run = self._run(X, regions)
        return run.proba(run.search())

    @usual_surroundings()
    def predict(self, X: Any, *, regions: Any = None, reject: Any = None) -> np.ndarray:
        """Predict the most probable label of every image.

        Parameters
        ----------
        %(X)s
        %(regions)s
        reject : object, optional
            What to return in the place of a label for images that are not answered, because
            the classifier never becomes as certain as it was asked to be, or because a bound
            on the error could not be shown for that class, or because the image is unfamiliar;
            for example ``"not answered"`` or -1.  By default they get the most probable label,
            too.

        Returns
        -------
        ndarray of shape (n,) or (n, n_labels)
            Labels, of the type that ``fit`` was given; of type object where ``reject`` is of
            another one.  If images have several labels: 1 for every label that is more
            probable than not, and 0 for the others.
        """
        run = self._run(X, regions)
        result = run.search()
        labels = self._kind.labels(self._kind.answers(run.proba(result)), self.classes_)
        if reject is None:
            return labels
        return named(labels, run.answered(result), reject)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Measure the accuracy: the share of images whose class is predicted correctly.

        If images have several labels, all of them have to be right.

        Parameters
        ----------
        %(X)s
        y : array-like of shape (n,) or (n, n_labels)
            True labels.  A label that was not in training counts as a wrong answer.
        sample_weight : array-like of shape (n,), optional
            Weights of the images.

        Returns
        -------
        float
            Accuracy in [0, 1].

        Raises
        ------
        InputError
            If labels are missing, are of another kind than in training, or are known classes
            in another spelling.
        """
        check_is_fitted(self, "net_")
        return super().score(X, true_targets(y, self.classes_, self._kind), sample_weight)

    @usual_surroundings()
    def transform(self, X: Any, *, regions: Any = None) -> np.ndarray:
        """Compute the masks of kept pixels on the model's grid.

        Parameters
        ----------
        %(X)s
        %(regions)s

        Returns
        -------
        ndarray of shape (n, h, w), bool
            On the grid of ``image_size``.  True where the classifier could see the pixel.  If a
            method shows it continuous masks, True for the highest scores, up to an area of tau.
        """
        run = self._run(X, regions, keep="ranks")
        return run.pixel_masks(run.search())

    @usual_surroundings()
    def explain(
        self,
        X: Any,
        *,
        certainty_threshold: float | None = None,
        tau: float | str | None = None,
        max_kept: float | None = None,
        whole_path: bool = False,
        target: Any = None,
        regions: Any = None,
    ) -> Explanation:
        """Select regions, predict from them, and return what was shown.

        Parameters
        ----------
        %(X)s
        certainty_threshold : float in (0, 1], optional
            Instead of the estimator's own.
        tau : "dynamic" or float in (0, 1], optional
            Instead of the estimator's own.
        max_kept : float in (0, 1], optional
            Largest fraction of an image that may be shown.  The answer is the first one that is
            certain within this fraction, or else the most certain one, for which all masks
            that fit are tried.  Without ``search__allow_empty`` one region is shown even if it
            is larger.  Methods whose classifier sees continuous masks refuse this option,
            because they cannot bound what is seen.
        whole_path : bool, default=False
            Also try the masks that come after the stop, so that ``path_proba`` tells what any
            other certainty would have given.
        target : label, optional
            If images have several labels, one of ``classes_``: show what suffices to decide
            whether an image has this one, instead of deciding all of them.  The certainty
            of a calibrated model is then the classifier's own, too.  With
            ``networks__label_masks``, regions are ranked for this label alone.
        %(regions)s

        Returns
        -------
        Explanation
            What was shown and predicted.

        Raises
        ------
        InputError
            If an option is out of range, or is one that this model cannot answer.
        """
        run = self._run(
            X,
            regions,
            keep="all",
            certainty_threshold=certainty_threshold,
            tau=tau,
            max_kept=max_kept,
            target=target,
        )
        shown = self._image_options.display_channels
        check_display_channels(shown, self.n_channels_seen_)
        exp = run.explain(self.classes_, whole_path)
        return replace(exp, display_channels=shown, n_masks_seen=self.n_masks_seen_)

    @usual_surroundings()
    def predict_proba_masked(self, masked_images: Any) -> np.ndarray:
        """Predict class probabilities of images that are masked already.

        Parameters
        ----------
        masked_images : ndarray of shape (n, h, w, c)
            Images in which removed pixels are black, or what else ``networks__fill`` says,
            uint8 or float in [0, 1], as ``Explanation.masked_images`` has them.  The classifier
            sees them as they are; no selection takes place.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            Class probabilities.
        """
        check_is_fitted(self, "net_")
        refuse_changes(self)
        seen = self.n_channels_seen_
        images = as_images(masked_images, n_channels=None if seen == 3 else seen)
        proba = np.empty((len(images), len(self.classes_)), np.float32)
        for start in range(0, len(images), self.batch_size):
            rows = slice(start, start + self.batch_size)
            batch, _ = images._on_grid(rows, self._grid)
            shown = as_float_images(torch.from_numpy(batch).to(self.device_))
            with torch.inference_mode():
                out = self._kind.probabilities(self.module_(shown))
            proba[start : start + self.batch_size] = out.cpu().numpy()
        report = self._stop_report(self.tau, None)
        if report is None:
            return proba
        return self._kind.with_certainty(proba, report(self._kind.certainty(proba)))

    def _rule_in_training(self) -> SelectionRule:
        """The selection rule of an estimator that is not fitted to its end."""
        return self._selection_rule()

    def _predict_views(
        self, images: np.ndarray, regions: np.ndarray, stride: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Class probabilities and kept fractions of a training batch (b, h, w, c).

        The search goes in steps of ``stride`` values of tau.
        """
        grid = self._tau_grid(self.tau)
        grid = np.append(grid[:-1:stride], grid[-1])
        threshold = float(self.certainty_threshold)
        seen = as_images(images, n_channels=images.shape[3])
        # Not shared: each process predicts its part of the batch, and the net gathers them.
        run = PredictionRun(self._rule_in_training(), seen, regions, grid, threshold, "ranks")
        result = run.search()
        kept = run.pixel_masks(result).sum(axis=(1, 2), dtype=np.float32)
        return result.proba, kept / np.maximum((regions >= 0).sum(axis=(1, 2)), 1)

    def _tau_grid(self, tau: float | str) -> np.ndarray:
        if isinstance(tau, str):
            search = self._search_options
            return make_tau_grid(search.tau_min, search.tau_step)
        return np.array([tau])

    def _run(
        self,
        X: Any,
        regions: Any = None,
        *,
        keep: str = "nothing",
        certainty_threshold: float | None = None,
        tau: float | str | None = None,
        max_kept: float | None = None,
        target: Any = None,
    ) -> PredictionRun:
        check_is_fitted(self, "net_")
        refuse_changes(self)
        meaning = self._meaning(fitted=True)
        images, given = read_images(X, regions, meaning=meaning, grid=self._grid)
        check_same_channels(images, self)
        tau = in_unit_interval("tau", self.tau if tau is None else tau, "dynamic")
        self._check_tau(tau)
        threshold = in_unit_interval(
            "certainty_threshold",
            self.certainty_threshold if certainty_threshold is None else certainty_threshold,
        )
        grid = self._tau_grid(tau)
        # Calibration is of all labels together.
        report = None if target is not None else self._stop_report(tau, certainty_threshold)
        if report is not None and certainty_threshold is None:
            threshold = self.calibration_.asked(float(threshold))
        if max_kept is not None:
            max_kept = float(in_unit_interval("max_kept", max_kept))
        rule = self._selection_rule()
        if target is not None:
            rule = replace(rule, kind=self._kind.about(target, self.classes_))
        return PredictionRun(
            rule,
            images,
            given,
            grid,
            float(threshold),
            keep,
            max_kept,
            report,
            is_shared=True,
        )

    # -- saved models --------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, audit: Any = None) -> None:
        """Write the fitted estimator to a folder, all of it or nothing.

        Every setting comes back as it was, except for what belongs to this machine: paths (of
        ``pretrained``, ``training__checkpoint_dir`` and the ``cache_dir`` of regions),
        ``training__callbacks`` and a ``blackbox`` are not written, so that a model can be given
        away.

        Parameters
        ----------
        path : str or path-like
            A new folder, or one that holds a saved model, which is replaced in one step.  A
            folder that holds anything else is never touched.  In the model card, ``README.md``,
            everything that you have written is kept: ``save`` replaces what is between its two
            comments, and leaves a card without them as it is.
        audit : Audit, optional
            What :func:`~p2pselect.audit` has found about this model, for the card.

        Raises
        ------
        InputError
            If a setting is a function, which a file cannot hold, ``path`` is something else, or
            ``audit`` is not an audit; nothing was written.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from p2pselect import P2PClassifier, datasets, load, presets
        >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
        >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
        >>> clf = P2PClassifier(**settings).fit(scenes.images, scenes.target % 2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     clf.save(Path(folder, "digits.model"))
        ...     again = load(Path(folder, "digits.model"))
        >>> bool((again.predict(scenes.images) == clf.predict(scenes.images)).all())
        True
        """
        save_model(self, Path(path), audit)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a saved estimator of this class.

        Parameters
        ----------
        path : str or path-like
            The folder that :meth:`save` wrote.

        Returns
        -------
        Self
            The fitted estimator; see :func:`p2pselect.load`.

        Raises
        ------
        ModelFileError
            If the folder is missing, damaged, of another format or of another class.
        """
        path = Path(path)
        with readable(path):
            return load_model(cls, path, read_config(path))

    @usual_surroundings()
    def _restore(self, state: dict[str, Tensor], seed: int) -> None:
        """Build the networks again and give them these weights."""
        self.regions_ = resolve_regions(self.regions, self.n_jobs)
        self._fixed_by_fit = remembered(self, "networks", "input")
        # A model that was trained on a GPU can be used on a machine that has none.
        self.device_ = resolve_device(self.device if _exists(self.device) else "auto")
        self._seed = seed
        # Weights are drawn only to be replaced; the program's generators must not notice.
        with Randomness(seed, torch.device("cpu")).in_place():
            model = self._build_model(len(self.classes_))
        model.load_state_dict(state)
        self._adopt(model)

    def __getstate__(self) -> dict[str, Any]:
        # Weights on the CPU, no optimizer: opens on machines without the training device.
        state = dict(super().__getstate__())
        if state.pop("net_", None) is not None:
            model = self.module_
            state["module_"] = model if self.device_.type == "cpu" else deepcopy(model).cpu()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "module_" in state:
            self.device_ = resolve_device(self.device if _exists(self.device) else "cpu")
            self._adopt(self.module_, self.history_)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Flat rows are images only where their shape is known.
        tags.input_tags.two_d_array = self._image_options.image_shape is not None
        tags.input_tags.three_d_array = True
        # transform gives bool masks, whatever the type of the images.
        tags.transformer_tags.preserves_dtype = []
        tags.classifier_tags.multi_label = self._several_labels
        tags.non_deterministic = False
        return tags


def _exists(device: str | torch.device) -> bool:
    try:
        resolve_device(device)
    except InputError:
        return False
    return True
