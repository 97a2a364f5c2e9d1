r"""P2P: from pixels to perception (Vandenhirtz & Vogt, ICML 2025).

The selector gives every region j a logit :math:`\mu_j(\tau)` and an embedding :math:`E_j`, the
means of its pixel maps over the region (section 3).  The classifier sees the regions that a
mask m keeps, on black.  Both minimize eq. 5,

.. math:: -\log \frac 1 S \sum_s p(y \mid x_{m_s}) + \lambda_1 L_m(\tau)
          + \lambda_2 \|\Sigma\|_1, \quad \Sigma = E^\top E

with relaxed Bernoulli masks :math:`m_s` of logits from :math:`N(\mu(\tau), \Sigma)` and the
hinge :math:`L_m` of eq. 3 on the expected area beyond tau.  Every image and step draws its own
:math:`\tau \sim U[\tau_{min}, 1]`, so that one model answers every tau; at prediction the
certainty search (eq. 4) finds the smallest one per image.

Deviations from the paper that the released code shares: eq. 5's norm is a mean over the entries
of :math:`\Sigma`, and :math:`\lambda_1` is ramped up.  Deviations of ours: tau enters as
``s * logit(tau)`` with a slope s > 0, so that more is kept at a larger tau
(``tau_input="additive"`` is the released form); an image always keeps a region; the classifier
can learn from random masks, too (``random_share``), and alone in a warm-up that comes first;
of several labels, each can have logits of its own (``label_masks``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from p2pselect.estimators import NetworkOptions, SelectiveImageClassifier, setting
from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.methods._p2p_objective import (
    P2PObjective,
    P2PObjectiveOptions,
    RandomMaskObjective,
)
from p2pselect.nn import SelectiveModel
from p2pselect.nn._selectors import Selector
from p2pselect.selection import SelectionRule
from p2pselect.training import Phase
from p2pselect.training._data import TrainingData, as_float_images
from p2pselect.training._head import fit_head

#: Images that go through the classifier at once where its head is fitted.
HEAD_BATCH = 64
#: Below this many images, on a CPU, the default networks are a poor choice.
SMALL_DATA = 5000


class P2PNetworkOptions(NetworkOptions):
    """Details of P2P's selector and classifier: its ``networks``.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> P2PNetworkOptions(embedding_dim=0)
    P2PNetworkOptions(embedding_dim=0)
    """

    embedding_dim: int = setting(
        "Size of the region embeddings that make up the covariance; 0 for independent regions.",
        Interval(Integral, 0, None, closed="left"),
        default=3,
        role="networks",
    )
    tau_input: str = setting(
        'How tau enters the selector: ``"logit"`` adds ``s * logit(tau)`` to the region '
        'logits, with a learned slope s > 0; ``"additive"`` is the released code.  Without '
        "effect where training is for one tau.",
        StrOptions({"logit", "additive"}),
        default="logit",
        role="networks",
    )
    label_masks: bool = setting(
        "Where images have several labels: give every label a mask of its own, which is what "
        "``explain(target=)`` then shows.  What is shown for all labels ranks each region by "
        "the label that it matters most to.  Not part of the paper's method.",
        "boolean",
        default=False,
        role="networks",
    )


class P2PClassifier(SelectiveImageClassifier):
    r"""Image classifier that predicts from a few perceptual regions and nothing else.

    A selector scores the regions (superpixels) of an image, a classifier sees nothing but the
    kept regions on a black background, and a certainty threshold decides for each image how
    much is shown.  The default networks are those of the paper, trained for 20 epochs;
    :data:`p2pselect.presets.PAPER` has all of its settings, and
    :data:`p2pselect.presets.SMALL` suits small data sets and CPUs.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.  If images have several: the names of the columns of ``y``, or
        their numbers.
    multilabel_ : bool
        Whether images have any number of labels, rather than one class.
    trained_tau_ : float or None
        The only tau that training was for; None if it was for all of them.
    module_ : p2pselect.nn.SelectiveModel
        The trained networks.
    net_ : skorch.NeuralNet
        The net that trained them.
    history_ : skorch.history.History
        The loss and its terms in every epoch.
    validation_rows_ : ndarray of int
        Which of the images that ``fit`` was given were held out; empty where none were.
    supervised_rows_ : ndarray of int
        Which of the images that ``fit`` was given had masks that it learned from.  Where they
        are, localization on these images says how well the masks were learned.
    n_masks_seen_ : int
        How many images had masks in the training that had most of them; 0 in a model that has
        found by itself where the evidence is.
    class_counts_ : dict of str to list of int
        Images of each class that the last training used, and those that were held out of it:
        ``trained`` and ``held_out``.
    interrupted_ : bool
        Whether Ctrl-C ended the last training; what was learned until then is kept.
    regions_ : SuperpixelTransformer
        The transformer that proposes regions.
    image_shape_in_ : tuple of int or None
        Height and width of the training images if they are all of one size.
    n_channels_in_ : int or None
        Channels of the training images; None if they were decoded from files.
    n_channels_seen_ : int
        Channels that the networks see: 3 of gray, RGB and RGBA.
    value_range_ : tuple of (low, high), "window", or None
        Values that become 0 and 1, one pair for all channels or one for each, or the window
        that each DICOM file states; None where images are uint8, or floats in [0, 1].
    fill_ : {"black", "blur", "noise", "drop"} or tuple of float
        What takes the place of removed pixels; a mean, as it was measured.
    normalization_ : tuple of (mean, std), or None
        What was measured of every channel with ``images__normalization="measured"``.

    See Also
    --------
    SuperpixelTransformer : Proposes the regions.
    Explanation : What ``explain`` returns.

    References
    ----------
    Vandenhirtz, M. and Vogt, J. E. From Pixels to Perception: Interpretable Predictions
    via Instance-wise Grouped Feature Selection. ICML 2025.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    >>> clf = P2PClassifier(**settings, random_state=0).fit(scenes.images, scenes.target % 2)
    >>> clf.predict(scenes.images).shape
    (24,)
    >>> clf.explain(scenes.images[:2]).pixel_masks.shape
    (2, 32, 32)
    """

    tau: float | str = setting(
        'Largest fraction of pixels kept: found per image (``"dynamic"``, eq. 4), or fixed. '
        'A model that was fitted with ``"dynamic"`` answers every tau.  One that was fitted '
        "with a number was trained for that number alone, as in the paper: its selector is "
        "not told tau, so another tau needs another fit, "
        '``objective__tau_training="uniform"``, or ``selection="budget"``.',
        default="dynamic",
    )
    selection: str = setting(
        '``"threshold"`` keeps regions of probability > .5 (the paper; the kept area is not '
        'bounded by tau), ``"budget"`` the most probable ones while their area stays within '
        "tau (the constraint of eq. 2).",
        StrOptions({"threshold", "budget"}),
        default="threshold",
        role="prediction",
    )
    networks: P2PNetworkOptions | None = setting(None, P2PNetworkOptions, default=None)
    objective: P2PObjectiveOptions | None = setting(
        "What is minimized.", P2PObjectiveOptions, default=None
    )

    _documented_in = "p2pselect"
    _learns_from_binary_masks = True
    _several_labels = True
    _learns_from_masks = True
    _fitted = (*SelectiveImageClassifier._fitted, "trained_tau_")

    @property
    def _objective_options(self) -> P2PObjectiveOptions:
        return self._group("objective")

    def _build_model(self, n_classes: int) -> SelectiveModel:
        options = self._group("networks")
        told = options.tau_input if self.trained_tau_ is None else None
        dim, n_masks = options.embedding_dim, n_classes if options.label_masks else 1
        if options.label_masks and not self.multilabel_:
            raise InputError(
                "networks__label_masks=True is for images with several labels, y of shape "
                "(n, n_labels): a mask that belongs to one of several classes would tell the "
                "classifier which one it is"
            )
        if options.label_masks and told == "additive":
            raise InputError("networks__label_masks=True needs networks__tau_input='logit'")
        scorer = Selector(self._build_scorer(n_masks + dim), dim, told, n_masks)
        return SelectiveModel(scorer, self._build_classifier(n_classes))

    def _phases(self) -> Sequence[Phase]:
        options, tau_min = self._objective_options, self._search_options.tau_min
        warmup = min(options.warmup_epochs, self.max_epochs)
        prior = RandomMaskObjective(tau_min, every_shape=options.random_share > 0)
        both = ("selector", "classifier")
        objective = P2PObjective(options, tau_min, self.trained_tau_)
        epochs = self.max_epochs - warmup
        share = self._frozen_share_of("classifier")
        # Before every epoch, because a training can go on in the middle of a phase.
        first = partial(_freeze, 1.0 if options.head_first else share)
        begin = partial(begin_with_head, 1.0) if options.head_first else first
        then = partial(_freeze, share)
        # One learning-rate schedule for both: the warm-up is counted in max_epochs.
        return [
            Phase("warmup", warmup, prior, ("classifier",), begin, first),
            Phase("joint", epochs, objective, both, then, then, continues_schedule=True),
        ]

    @property
    def _tau_to_train(self) -> float | None:
        every = self.tau == "dynamic" or self._objective_options.tau_training == "uniform"
        return None if every else float(self.tau)

    def _before_training(self, n_images: int, continues: bool) -> None:
        if continues and self._tau_to_train != self.trained_tau_:
            raise InputError(
                f"training can only go on for {_tau_name(self.trained_tau_)}, as it began, got "
                f"tau={brief(self.tau)} and objective__tau_training="
                f"{brief(self._objective_options.tau_training)}; fit a new model"
            )
        # Before the networks are built, because it decides whether the selector is told tau.
        self.trained_tau_: float | None = self._tau_to_train
        untouched = self.classifier == "vit_tiny_patch16_224" and min(self._grid.size) >= 224
        if self.device_.type == "cpu" and untouched and n_images < SMALL_DATA:
            warnings.warn(
                f"{n_images} images on a CPU: P2PClassifier(**p2pselect.presets.SMALL) "
                "trains far faster than the default networks and is likely more accurate",
                P2PSelectWarning,
                stacklevel=3,
            )

    def _prediction_parameters(self) -> frozenset[str]:
        own = super()._prediction_parameters()
        return own | {"tau"} if self._objective_options.tau_training == "uniform" else own

    def _check_tau(self, tau: float | str) -> None:
        if self.trained_tau_ in (None, tau) or self.selection == "budget":
            return
        raise InputError(
            f"tau={tau!r} of a P2PClassifier that was trained for tau={self.trained_tau_:g} "
            "alone: its selector is not told tau.  Fit with tau='dynamic' or "
            "objective__tau_training='uniform' to ask one model for several tau, or set "
            "selection='budget', which cuts the ranking of the regions at any tau"
        )

    def _tau_offsets(self, tau_grid: np.ndarray) -> np.ndarray:
        grid = torch.tensor(tau_grid, dtype=torch.float32, device=self.device_)
        with torch.inference_mode():
            # Embeddings have no part in predictions.
            return self.module_.selector.tau_offset(grid)[:, 0].cpu().numpy()

    def _selection_rule(self) -> SelectionRule:
        cut = "budget" if self.selection == "budget" else "probability"
        return replace(super()._selection_rule(), cut=cut, tau_offsets=self._tau_offsets)


def _tau_name(trained_tau: float | None) -> str:
    return "every tau" if trained_tau is None else f"tau={trained_tau:g} alone"


def _freeze(share: float, model: SelectiveModel, data: object) -> None:
    """Keep this share of the classifier's layers from learning in the epochs to come."""
    model.classifier.frozen_share = share  # type: ignore[assignment]


def begin_with_head(share: float, model: SelectiveModel, data: Any) -> None:
    """Let the classifier's head begin where a logistic regression on whole images ends.

    Then this share of the classifier's layers keeps its weights.
    """
    _freeze(share, model, data)
    if not isinstance(data, TrainingData):
        return  # a stream is not read once more

    def batches() -> Iterator[tuple[Tensor, np.ndarray]]:
        for start in range(0, len(data), HEAD_BATCH):
            rows = np.arange(start, min(start + HEAD_BATCH, len(data)))
            images, _ = data.images._on_grid(rows, data.views.grid)
            shown = torch.from_numpy(images).to(next(model.parameters()).device)
            yield as_float_images(shown), data.target[rows]

    fit_head(model.classifier, batches())  # type: ignore[arg-type]
