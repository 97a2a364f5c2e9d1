"""What training is made of: a step, an objective that names its terms, and phases of epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from p2pselect.nn._frozen import PartlyFrozen
from p2pselect.training._loss_terms import monte_carlo_cross_entropy
from p2pselect.training._noise import normal, uniform

LossTerms = dict[str, Tensor]


@dataclass(frozen=True)
class Step:
    """One batch, or a part of one, as an objective sees it.

    Parameters
    ----------
    model : Module
        What the method's ``_build_model`` has returned.
    images : Tensor of shape (n, 3, h, w)
        In [0, 1].
    regions : Tensor of shape (n, h, w), int64
        Label maps.
    target : Tensor of shape (n,) or (n, n_classes), int64
        Class numbers; or 1 for every label that an image has, and 0 for the others.
    index : Tensor of shape (n,), int64
        Rows of the training set.
    progress : float
        How much of the phase is done, in [0, 1].
    mean : callable, default=Tensor.mean
        Maps values (n,) to their mean over the batch, weighted by the sample weights of the
        images, and over all processes that share the batch.  For terms that compare means;
        the loss is the weighted mean of the terms in any case.
    seed : int, default=0
        Of the random numbers; another one in every epoch.
    label_smoothing : float, default=0.0
        Share of every target that is spread over all classes; 0 where held-out images are
        measured.
    label_weight : Tensor of shape (n_classes, 2), optional
        Where images have several labels: the weight of the absence of every label in the
        cross-entropy, and of its presence.
    masks : Tensor of shape (n, h, w), uint8, optional
        What people say about the evidence, as :func:`evidence_penalty` takes it; None where
        ``fit`` was given no masks.

    Examples
    --------
    >>> import torch
    >>> n, rows = 2, torch.tensor([4, 7])
    >>> step = Step(None, torch.zeros(n, 3, 8, 8), torch.zeros(n, 8, 8), rows * 0, rows, 0.0)
    >>> step.rand_like(step.target[:, None].expand(n, 3).float()).shape
    torch.Size([2, 3])
    """

    model: Any
    images: Tensor
    regions: Tensor
    target: Tensor
    index: Tensor
    progress: float
    mean: Callable[[Tensor], Tensor] = Tensor.mean
    seed: int = 0
    label_smoothing: float = 0.0
    label_weight: Tensor | None = None
    masks: Tensor | None = None
    _draws: Iterator[int] = field(default_factory=count, init=False, repr=False, compare=False)

    def cross_entropy(
        self, logits: Tensor, *, smoothed: bool = True, asked: Tensor | None = None
    ) -> Tensor:
        """Cross-entropy of answers with the targets, whose labels are smoothed if they should.

        Where images have several labels, it is the sum of those of all labels.

        Parameters
        ----------
        logits : Tensor of shape (n, n_classes) or (s, n, n_classes)
            For ``s`` sampled masks, it is that of their mean probability.
        smoothed : bool, default=True
            False for rewards and comparisons, whose labels are never smoothed.
        asked : Tensor of shape (n,), int64, optional
            Where images have several labels: the column of the only one that counts, as much
            as all of them would; -1 stands for all.

        Returns
        -------
        Tensor of shape (n,)
            In nats.
        """
        samples = logits if logits.ndim == 3 else logits[None]
        smoothing = self.label_smoothing if smoothed else 0.0
        weight = self.label_weight
        if asked is not None:
            n_labels = logits.shape[-1]
            only = n_labels * F.one_hot(asked.clamp(min=0), n_labels)
            own = torch.where(asked[:, None] < 0, 1, only)[..., None]
            weight = own.expand(-1, -1, 2) if weight is None else own * weight
        return monte_carlo_cross_entropy(samples, self.target, smoothing, weight)

    def rand_like(self, values: Tensor) -> Tensor:
        """Uniform random numbers in (0, 1) of the shape of some values.

        Unlike those of :func:`torch.rand_like`, the numbers of an image depend on the seed, the
        epoch, its row and the order of the calls alone, so that a training does not depend on
        how batches are divided among processes.

        Parameters
        ----------
        values : Tensor of shape (n, ...)
            One entry for every image; only their shape, device and type matter.

        Returns
        -------
        Tensor of shape (n, ...)
            On the same device and of the same type.
        """
        return self._drawn(uniform, values)

    def randn_like(self, values: Tensor) -> Tensor:
        """Standard normal random numbers; otherwise as :meth:`rand_like`.

        Parameters
        ----------
        values : Tensor of shape (n, ...)
            One entry for every image; only their shape, device and type matter.

        Returns
        -------
        Tensor of shape (n, ...)
            On the same device and of the same type.
        """
        return self._drawn(normal, values)

    def _drawn(self, numbers: Any, values: Tensor) -> Tensor:
        rows = self.index.to(values.device)
        return numbers(self.seed, rows, next(self._draws), values.shape[1:]).to(values.dtype)


#: Maps a step to terms of the loss by name: one value per image each, shape (n,), already
#: weighted.  Their sum is minimized.  The gradient of a term named "module/term" reaches the
#: parameters of that sub-module only.
Objective = Callable[[Step], LossTerms]


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one objective.

    Parameters
    ----------
    name : str
        For ``history_`` and the progress bar.
    epochs : int
        How many epochs it lasts.
    objective : callable
        Maps a :class:`Step` to the terms of the loss, a dict of names and tensors of shape
        (n,).  The sum of the terms is minimized.  The gradient of a term that is named
        ``"selector/area"`` reaches the parameters of the sub-module ``selector`` only.  What an
        objective learns outside of the model belongs in an attribute ``memory`` that has
        ``state_dict`` and ``load_state_dict``.
    trainable : tuple of str
        Sub-modules of the model that learn.  All others are frozen and in eval mode, so that
        their batch statistics stay as they are, too.
    begin : callable, optional
        ``(model, training data) -> None``, called before the first epoch of the phase.
    before_epoch : callable, optional
        ``(model, training data) -> None``, called before every other epoch of the phase: a
        ``fit`` that continues, or ``partial_fit``, can have brought other data.
    continues_schedule : bool, default=False
        Whether the learning-rate schedule of the phase before goes on in this one, instead of a
        new one.

    Examples
    --------
    >>> def objective(step):
    ...     return {"cross_entropy": step.cross_entropy(step.model(step.images))}
    >>> Phase("fit", 20, objective, ("classifier",)).epochs
    20
    """

    name: str
    epochs: int
    objective: Objective
    trainable: tuple[str, ...]
    begin: Callable[[Any, Any], None] | None = None
    before_epoch: Callable[[Any, Any], None] | None = None
    continues_schedule: bool = False


def phase_at(phases: Sequence[Phase], epoch: int) -> tuple[Phase, int]:
    """The phase that ``epoch`` (from 0) belongs to, and the first epoch of that phase.

    Epochs past the end belong to the last phase: that is what ``partial_fit`` continues.
    """
    first = 0
    for phase in phases:
        if epoch < first + phase.epochs or phase is phases[-1]:
            return phase, first
        first += phase.epochs
    raise ValueError("no phases")


def epochs_by_schedule(phases: Sequence[Phase]) -> list[int]:
    """Epochs of a first ``fit``, one learning-rate schedule after the other."""
    lengths: list[int] = []
    for phase in phases:
        if phase.continues_schedule:
            lengths[-1] += phase.epochs
        else:
            lengths.append(phase.epochs)
    return lengths


def phases_after(phases: Sequence[Phase], phase: Phase) -> list[Phase]:
    """The phases that come after a given one and have epochs."""
    at = [other is phase for other in phases].index(True)
    return [later for later in phases[at + 1 :] if later.epochs]


def set_training(module: nn.Module, phase: Phase) -> None:
    """Put the phase's modules into training mode; freeze the others, and first layers."""
    module.eval()
    for name, child in module.named_children():
        learns = name in phase.trainable
        child.train(learns)
        child.requires_grad_(learns)
    for part in module.modules():
        if isinstance(part, PartlyFrozen):
            part.freeze()
