"""
A method of your own
====================

Every method of :mod:`p2pselect.methods` is one file: an objective, and an estimator that
says which networks learn from it.  This example adds another one, with public names only.
It inherits prediction, explanations, scorers, cross-validation and a kept area that can be
compared with that of the other methods, and it passes the same checks.  It runs for about a
minute.
"""

# %%
# The idea
# --------
# *Straight-through top-k*: in training the classifier sees exactly what it will see at
# prediction, the best-scored regions within tau.  Cutting has no gradient, so the selector
# receives that of the sigmoid of its scores instead.
#
# An objective is a function from one training step to the terms of the loss, each with one
# value per image.  It can ask the model for the scores of the regions and for the
# classifier's logits under a mask.  The noise of a step depends on the image and the epoch
# alone, not on the number of processes.

from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval

from p2pselect import datasets, metrics, presets
from p2pselect.estimators import setting
from p2pselect.explanations import plot_page
from p2pselect.methods import BaselineClassifier
from p2pselect.testing import check_image_classifier
from p2pselect.training import Phase


@dataclass(frozen=True)
class TopKObjective:
    tau: float
    noise: float

    def __call__(self, step):
        scores = step.model.score(step.images, step.regions)
        logits = scores.maps[:, 0].masked_fill(scores.areas == 0, -torch.inf)
        noisy = logits + self.noise * step.randn_like(logits)
        ranking = noisy.argsort(dim=1, descending=True)
        covered = scores.areas.gather(1, ranking).cumsum(dim=1)
        fits = covered <= self.tau * scores.areas.sum(dim=1, keepdim=True)
        hard = torch.zeros_like(logits).scatter(1, ranking, fits.float())
        soft = noisy.sigmoid()
        masks = hard + (soft - soft.detach())
        out = step.model.classify(step.images, step.regions, masks)
        return {"cross_entropy": F.cross_entropy(out, step.target, reduction="none")}


# %%
# The estimator declares its own setting and inherits all others.  Its phases say what
# learns, from what, and for how long: here both networks learn in one phase.


class TopKClassifier(BaselineClassifier):
    """Regions chosen by straight-through top-k."""

    noise: float = setting(
        "Standard deviation of the noise on the scores.",
        Interval(Real, 0, None, closed="left"),
        default=1.0,
    )

    def _phases(self):
        objective = TopKObjective(self.tau, self.noise)
        return [Phase("joint", self.max_epochs, objective, ("selector", "classifier"))]


# %%
# Does it keep the contract?
# --------------------------
# The checks that all methods pass: among other things, predictions are those of the
# classifier on the masked image, no bit of them changes when the removed pixels do, and
# nothing depends on the order of the images.

small = presets.settings_for(
    TopKClassifier, {**presets.SMALL, "image_size": 32, "max_epochs": 1}
)
check_image_classifier(TopKClassifier(**small, random_state=0))

# %%
# What does it see?
# -----------------
# Three digits on photographs, of which a fifth is to be kept.


def digits(split, n):
    scenes = datasets.make_digit_scenes(n, image_size=48, split=split, random_state=0)
    chosen = np.isin(scenes.objects, ["0", "1", "7"])
    return scenes.images[chosen], scenes.objects[chosen], scenes.masks[chosen]


X, y, _ = digits("train", 1300)
X_test, y_test, masks = digits("test", 400)

own = {"image_size": 48, "max_epochs": 20, "augment": "shift"}
clf = TopKClassifier(
    **presets.settings_for(TopKClassifier, {**presets.SMALL, **own}), tau=0.2, random_state=0
)
exp = clf.fit(X, y).explain(X_test)

print(f"accuracy       {np.mean(exp.predicted == y_test):.2f}")
print(f"pixels kept    {exp.kept_fraction.mean():.2f}")
print(f"localization   {metrics.localization_score(exp.pixel_masks, masks):.2f}")
print(f"random mask    {metrics.random_localization(masks):.2f}")
print(f"centered disc  {metrics.center_localization(exp.pixel_masks, masks):.2f}")

# %%
# A page of images drawn at random:

page = plot_page(exp, y_test, n_images=9, object_masks=masks)
