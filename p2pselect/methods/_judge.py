"""The judge of an audit: a classifier that has seen nothing but masks that nobody chose.

Minimizes the cross-entropy of the classifier on random masks of every shape
(:func:`p2pselect.nn.random_region_masks`), until held-out images under such masks are read no
better.  It is EVAL-X (Jethani et al., AISTATS 2021) with other masks: theirs keep each region
with probability one half, so that a classifier never sees an image of which little is left, or
what is left lies in one piece.  Since no mask of its training has anything to do with a label,
it can only read what is in the regions, not which regions they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from torch import nn

from p2pselect.estimators import (
    ClassifierNetworkOptions,
    SelectiveImageClassifier,
    setting,
)
from p2pselect.methods._blackbox import BlackboxClassifier
from p2pselect.methods._p2p import begin_with_head
from p2pselect.methods._p2p_objective import RandomMaskObjective
from p2pselect.nn import SelectiveModel
from p2pselect.training import Phase


class JudgeClassifier(BlackboxClassifier):
    """Classifier that learns from random region masks, to tell what masked images show.

    Parameters
    ----------
    {parameters}

    See Also
    --------
    p2pselect.audit : Trains a judge, and compares a model with it.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> clf = P2PClassifier(**{**presets.SMALL, "image_size": 32})
    >>> judge = JudgeClassifier.like(clf, max_epochs=1, training__patience=None)
    >>> judge.fit(scenes.images, scenes.target % 2).converged_
    False
    """

    networks: ClassifierNetworkOptions | None = setting(
        None, ClassifierNetworkOptions, default=None
    )
    head_first: bool = setting(
        "Let the head of the classifier, if it is one linear layer, begin with the weights of "
        "a logistic regression on the features of whole images.  For pretrained networks.",
        "boolean",
        default=False,
    )

    _sees_whole_images = None
    _learns_from_binary_masks = True
    #: It is measured under random masks, while its predictions are those for whole images.
    _measures_predictions: ClassVar[bool] = False

    @classmethod
    def like(cls, clf: SelectiveImageClassifier, **changes: Any) -> Self:
        """Make a judge for a model: with the same network, regions, images and augmentation.

        The rate of learning stays as it is, a mean of the weights predicts, and training ends
        after half as many epochs as the model has, and at least ten, in which a tenth of the
        images, held out, were read no better, or after ten times the epochs of the model.

        Parameters
        ----------
        clf : estimator of this package
            It need not be fitted; from one that is, the judge takes ``fill_``, too.
        **changes
            Other settings, by name.

        Returns
        -------
        JudgeClassifier
            It is not fitted.
        """
        judge, given = cls(), clf.get_params()
        shared = judge.get_params().keys() - {"images", "networks", "training"}
        judge.set_params(**{name: value for name, value in given.items() if name in shared})
        settings = {
            "head_first": given.get("objective__head_first", False),
            "max_epochs": 10 * clf.max_epochs,
            "training__ema_decay": 0.99,
            "training__lr_schedule": "constant",
            # A network that starts from nothing, on few images, needs many epochs to begin.
            "training__patience": max(10, clf.max_epochs // 2),
            "validation": 0.1,
            "warm_start": False,
        }
        if hasattr(clf, "fill_"):
            # A mean that the model has measured, and not one of the judge's images.
            settings["networks__fill"] = clf.fill_
        return judge.set_params(**{**settings, **changes})

    @property
    def converged_(self) -> bool:
        """Whether training ended because more of it did not help (bool)."""
        losses = [epoch.get("valid_loss", np.nan) for epoch in self.history_]
        patience = self._training_options.patience
        if patience is None or not losses or np.isnan(losses).any():
            return False
        return bool(len(losses) - 1 - np.argmin(losses) >= patience)

    def _build_model(self, n_classes: int) -> SelectiveModel:
        # What shows masked images to a classifier; nothing is selected.
        return SelectiveModel(nn.Identity(), self._build_classifier(n_classes))

    def _phases(self) -> Sequence[Phase]:
        share = self._frozen_share_of("classifier")
        begin = partial(begin_with_head, share) if self.head_first else None
        objective = RandomMaskObjective(0.0, every_shape=True)
        return [Phase("fit", self.max_epochs, objective, ("classifier",), begin)]
