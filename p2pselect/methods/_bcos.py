r"""B-cos networks (Bohle et al., CVPR 2022; B-cosification: Arya et al., NeurIPS 2024).

No selector and no mask: every linear map becomes
:math:`(w \cdot x)\,|\cos(x, w)|`-scaled, without biases, on the six channels [x, 1 - x].
For a given input the network is linear, so that each pixel has a contribution to the
logit; the largest ones are kept in ``transform``, while the prediction sees it all.

Minimised is the binary cross-entropy of every class's logit, target 1 for the true class and
1 / C for the others, the logits starting from log(1 / (C - 1)).

The network is a timm network in B-cos form (:mod:`p2pselect.methods._bcos_network`): weights as they are,
not of unit length, B = 2.  Deviations: batch normalisation does not centre; attention
queries and keys are constants of the explanation; regions of negative contribution are
ranked too, where the original cuts at 0 and ties; probabilities are the softmax.  The
explanation is entered before the forward pass; after it, it would be gradient times input.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from p2pselect.exceptions import P2PSelectWarning, brief
from p2pselect.methods._base import BaselineClassifier
from p2pselect.methods._bcos_network import BcosNetwork
from p2pselect.methods._blackbox import FullImageModel
from p2pselect.nn._model import RegionScores
from p2pselect.nn._pooling import region_areas, region_mean
from p2pselect.training._data import TrainingData, as_float_images
from p2pselect.training._objective import LossTerms, Step
from p2pselect.training._phases import Phase

#: Training images whose logits are added up to see whether the contributions explain them,
#: and how far from 1 it may be without a warning.
_N_EXPLAINED, _TOLERANCE = 64, 0.05


def bcos_objective(step: Step) -> LossTerms:
    """Binary cross-entropy of all logits; 1 / C is the target of the wrong classes."""
    logits = step.model(step.images)
    target = torch.full_like(logits, 1 / logits.shape[1])
    target.scatter_(1, step.target[:, None], 1.0)
    terms = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return {"binary_cross_entropy": terms.sum(dim=1)}


class BcosClassifier(BaselineClassifier):
    """Classifier whose logit is a sum of contributions of the pixels.

    Parameters
    ----------
    **shared
        As for :class:`~p2pselect.methods._base.BaselineClassifier`; ``selector`` has no
        effect.  ``classifier`` is any timm network whose first layer is a convolution.  In
        vision transformers position codes and the class token have a part in the logit that
        belongs to no pixel: ``fit`` warns where the contributions are not the whole logit.

    Examples
    --------
    >>> from p2pselect import datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    >>> clf = BcosClassifier(**BcosClassifier.known(settings))
    >>> exp = clf.fit(scenes.images, scenes.target % 2).explain(scenes.images[:2])
    >>> bool(abs(exp.masked_images * 255 - exp.images).max() < 1e-3)  # all was seen
    True
    """

    _unused = frozenset({"selector", "selector_options", "selector_image_size"})

    @property
    def _hinge(self) -> None:
        """All is seen: there is no kept area to penalize."""

    def _build_model(self, n_classes: int) -> nn.Module:
        plain = self._build_classifier(n_classes)
        return FullImageModel(BcosNetwork(plain.network, plain.mean, plain.std, n_classes))

    def _phases(self) -> Sequence[Phase]:
        return [Phase("fit", self.max_epochs, bcos_objective, ("classifier",))]

    def _after_training(self, data: TrainingData) -> None:
        super()._after_training(data)
        some = torch.from_numpy(data.images.batch(slice(0, _N_EXPLAINED), self.image_size))
        share = self.module_.classifier.explained_share(as_float_images(some.to(self.device_)))
        if abs(share - 1) > _TOLERANCE:
            warnings.warn(
                f"the contributions of the pixels make up {share:.0%} of the logit with "
                f"classifier={brief(self.classifier)}: the rest comes from parts of the "
                "network that do not depend on the image (position codes, class tokens), and "
                "no explanation shows it; convolutional networks such as ResNets have none",
                P2PSelectWarning,
                stacklevel=2,
            )

    def _scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        areas = region_areas(regions)
        contributions = self.module_.classifier.contributions(images)
        # Of a scale that a sigmoid shows: the order is all that counts.
        spread = contributions.std(dim=(1, 2), keepdim=True) + 1e-12
        maps = region_mean((contributions / spread)[:, None], regions, areas)
        return RegionScores(maps, areas, shown=(areas > 0).to(maps.dtype))
