"""The skorch net that trains every method: phases, objectives, terms in the history."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EpochScoring, PassthroughScoring
from torch import Tensor, nn

from p2pselect.distributed import Group
from p2pselect.exceptions import P2PSelectWarning, TrainingError
from p2pselect.nn._frozen import backbone_parameters
from p2pselect.nn._kept_features import KeptFeatures
from p2pselect.training._averaging import WeightAverage
from p2pselect.training._callbacks import StopTraining, compares_epochs
from p2pselect.training._data import as_float_images
from p2pselect.training._isolation import Randomness
from p2pselect.training._measuring import MeasuredNet
from p2pselect.training._noise import combine_seeds
from p2pselect.training._phases import (
    LossTerms,
    Phase,
    Step,
    phase_at,
    phases_after,
    set_training,
)
from p2pselect.training._shares import Batch, Part, add_gradients, split


class SelectiveNet(MeasuredNet):
    """Train a model by the objective of the current phase.

    The loss of a batch is the weighted mean over its images of the sum of the objective's
    terms; the mean of every term over an epoch goes into ``history``.  A term named
    ``"selector/area"`` is a loss of the sub-module ``selector`` alone: its gradient reaches
    no other parameters, so that modules can learn different things from one forward pass.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        phases: Sequence[Phase] = (),
        micro_batch_size: int | None = None,
        label_smoothing: float = 0.0,
        backbone_lr_share: float = 1.0,
        **kwargs: Any,
    ):
        self.phases = phases
        self.micro_batch_size = micro_batch_size
        self.label_smoothing = label_smoothing
        self.backbone_lr_share = backbone_lr_share
        #: Of the training that is running.
        self.group = Group()
        self.seed = self.epoch_seed = 0
        self.randomness = Randomness(0, torch.device("cpu"))
        self.kept = KeptFeatures()
        #: Callbacks of the training that is running, besides those of the user.
        self.watchers: list[tuple[str, Callback]] = []
        #: What the labels of its images weigh, where they have several.
        self.label_weight: Tensor | None = None
        #: The mean of the weights, which takes their place between two epochs.
        self.average: WeightAverage | None = None
        #: Whether the last training was interrupted before its end, and not by a callback.
        self.interrupted = False
        super().__init__(module, criterion=nn.Identity, **kwargs)

    def initialize_module(self) -> SelectiveNet:
        # The module comes built; skorch would build a second one from its class.
        self.module_ = self.module
        return self

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        """What the optimizer is made of: one group of parameters, or heads and backbones."""
        ((whole,),), options = super().get_params_for_optimizer(prefix, named_parameters)
        share = self.backbone_lr_share
        if share == 1:
            return [[whole]], options
        slower = backbone_parameters(self.module_)
        groups: tuple[list[nn.Parameter], list[nn.Parameter]] = [], []
        for name, parameter in self.module_.named_parameters():
            groups[name in slower].append(parameter)
        # Schedules of the rate read the share, too.
        slow = {"params": groups[1], "lr": share * self.lr, "lr_share": share}
        return [[{"params": groups[0], "lr_share": 1.0}, slow]], options

    @property
    def epoch(self) -> int:
        """The epoch that is running, from 0."""
        return len(self.history) - 1

    def step_of(self, part: Part, progress: float | None = None) -> Step:
        """What the objective sees of a batch, by default at the present point of training."""
        inputs, target = part.batch
        device = torch.device(self.device)
        masks = inputs.get("masks")
        seed, smoothing = self.seed, 0.0
        if progress is None:
            seed, smoothing = self.epoch_seed, self.label_smoothing
            phase, first = phase_at(self.phases, self.epoch)
            done = self.epoch - first + self._share_of_epoch
            progress = min(1.0, done / phase.epochs) if phase.epochs else 1.0
        return Step(
            model=self.module_,
            images=as_float_images(inputs["images"].to(device, non_blocking=True)),
            regions=inputs["regions"].to(device, non_blocking=True),
            target=target.to(device, non_blocking=True),
            index=inputs["index"],
            progress=progress,
            mean=part.mean,
            seed=seed,
            label_smoothing=smoothing,
            label_weight=self.label_weight,
            masks=None if masks is None else masks.to(device, non_blocking=True),
        )

    def run_single_epoch(self, iterator: Any, *args: Any, **kwargs: Any) -> None:
        """Train or validate for one epoch, in an order that is this estimator's own."""
        if self.average is not None and not kwargs["training"]:
            self.average.take_over(self.module_)
        super().run_single_epoch(iterator and self._in_own_order(iterator), *args, **kwargs)

    def _in_own_order(self, loader: Any) -> Iterator[Batch]:
        # torch draws the order of an epoch before its first batch.
        with self.randomness.in_place():
            batches = iter(loader)
            first = next(batches, None)
        if self.group.rank:
            # The order is that of all processes, but not what dropout draws from here on.
            seed = combine_seeds(self.epoch_seed, self.group.rank)
            self.randomness = Randomness(seed, self.randomness.device)
        if first is not None:
            yield first
            yield from batches

    def train_step(self, batch: Batch, **fit_params: Any) -> Any:
        """One step of the optimizer."""
        with self.randomness.in_place():
            step = super().train_step(batch, **fit_params)
        if self._is_scored(training=True):
            self._add_predictions(step, batch, self._predict(batch, 1)[0])
        return step

    def train_step_single(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Forward and backward pass; called by skorch inside its optimizer step."""
        while True:
            try:
                return self._accumulate(batch)
            except torch.OutOfMemoryError:
                size = min(self.micro_batch_size or len(batch[1]), len(batch[1]))
                # Other processes are on their way to the next step and cannot go back.
                if size == 1 or self.group.size > 1:
                    raise
                self.micro_batch_size = -(-size // 2)
            # Outside of the handler: the error holds on to what did not fit.
            self.module_.zero_grad()
            warnings.warn(
                f"out of memory with {size} images at once: training goes on with "
                f"micro_batch_size={self.micro_batch_size}, gradients are added up",
                P2PSelectWarning,
                stacklevel=2,
            )

    def _accumulate(self, batch: Batch) -> dict[str, Any]:
        """Add up the gradients of the parts of a batch."""
        total, means = torch.zeros(()), dict[str, Tensor]()
        for part in split(batch, self.group, self.micro_batch_size):
            losses, terms = self._losses(part)
            loss, terms = part.add_up(losses, terms)
            if not torch.isfinite(loss):
                self._stop_on(terms)
            for done, (module, own) in enumerate(losses.items(), start=1):
                (own * part.share).backward(
                    inputs=self._parameters_of(module), retain_graph=done < len(losses)
                )
            total = total + loss.to(total.device)
            for name, value in terms.items():
                means[name] = means.get(name, 0) + value
        add_gradients(self.module_, self.group)
        return {"loss": total, "y_pred": total, "terms": means}

    def _losses(
        self, part: Part, progress: float | None = None
    ) -> tuple[dict[str, Tensor], LossTerms]:
        """The loss of every sub-module that has its own ("" for all), and the mean terms."""
        phase, _ = phase_at(self.phases, self.epoch)
        step = self.step_of(part, progress)
        with self.kept.of(step.images, part.batch[0]["images"]):
            terms = phase.objective(step)
        weight = part.batch[0]["weight"].to(self.device, non_blocking=True)
        groups: dict[str, list[Tensor]] = {}
        for name, value in terms.items():
            groups.setdefault(name.rpartition("/")[0], []).append(value)
        losses = {
            module: (torch.stack(values).sum(dim=0) * weight).mean()
            for module, values in groups.items()
        }
        means = {name: (value.detach() * weight).mean() for name, value in terms.items()}
        return losses, means

    def _parameters_of(self, module: str) -> list[nn.Parameter]:
        part = self.module_.get_submodule(module)
        return [p for p in part.parameters() if p.requires_grad]

    def _stop_on(self, terms: LossTerms) -> None:
        bad = [name for name, value in terms.items() if not torch.isfinite(value)]
        raise TrainingError(
            f"the loss is not finite at epoch {self.epoch + 1}, step "
            f"{self._batches_done + 1} (terms: {', '.join(bad) or 'their sum'}); a smaller "
            "learning rate (lr) is the usual remedy"
        )

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        super().on_epoch_begin(net, dataset_train=dataset_train, **kwargs)
        if self.average is not None:
            self.average.give_back(self.module_)
        phase, first = phase_at(self.phases, self.epoch)
        if self.epoch == first:
            for _, callback in self.callbacks_:
                if isinstance(callback, (EpochScoring, PassthroughScoring)):
                    # The best epoch of a phase is one of its own.
                    callback.best_score_ = np.inf if callback.lower_is_better else -np.inf
        # By number: a training that goes on draws what one without a stop would have drawn.
        self.epoch_seed = combine_seeds(self.seed, self.epoch)
        self.randomness = Randomness(self.epoch_seed, torch.device(self.device))
        prepare = phase.begin if self.epoch == first else phase.before_epoch
        with self.randomness.in_place():
            if prepare is not None:
                prepare(self.module_, dataset_train)
            set_training(self.module_, phase)
        if self.epoch > 0:
            # Epoch means are kept, and the last batch, which skorch's Checkpoint looks at;
            # records of all of them would grow with the data.
            # A saved model holds none.
            del self.history[-2].get("batches", [])[:-1]
        self.history.record("phase", phase.name)
        self._batches_done = 0
        self._n_batches = dataset_train.n_batches(self.batch_size)
        dataset_train.epoch = self.epoch

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        super().on_batch_end(net, batch=batch, training=training, **kwargs)
        prefix = "train" if training else "valid"
        # skorch has counted the images of this process.
        self.history.record_batch(f"{prefix}_batch_size", int(batch[0]["batch_size"][0]))
        for name, value in kwargs["terms"].items():
            self.history.record_batch(f"{prefix}_{name}", value.item())
        self._batches_done += training
        if training and self.average is not None:
            self.average.update(self.module_)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        batches = self.history[-1]["batches"]
        for prefix in ("train", "valid"):
            rows = [row for row in batches if f"{prefix}_batch_size" in row]
            total = sum(row[f"{prefix}_batch_size"] for row in rows)
            for name in [k for k in (rows[0] if rows else {}) if k.startswith(prefix)]:
                if name not in (f"{prefix}_batch_size", f"{prefix}_loss"):
                    mean = sum(r[name] * r[f"{prefix}_batch_size"] for r in rows) / total
                    self.history.record(name, mean)
        super().on_epoch_end(net, **kwargs)

    @property
    def _share_of_epoch(self) -> float:
        return self._batches_done / max(1, self._n_batches)

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Tell all callbacks; those that compare epochs only hear of epochs of the last phase.

        Earlier phases prepare for the last one, and their losses cannot be compared with its.
        """
        getattr(self, method_name)(self, **kwargs)
        if "scored_target" in kwargs:
            kwargs["batch"] = kwargs["batch"][0], kwargs.pop("scored_target")
        over = method_name in ("on_epoch_end", "on_train_end")
        preparing = over and not self.is_in_last_phase
        stop = False
        for entry in [*self.callbacks_, *self.watchers]:
            _, callback = entry
            if preparing and compares_epochs(callback):
                continue
            try:
                getattr(callback, method_name)(self, **kwargs)
            except KeyboardInterrupt as error:
                asked = isinstance(error, StopTraining) or entry not in self.watchers
                if not asked or method_name != "on_epoch_end":
                    raise
                stop = True  # once the others have heard of this epoch
                self.history.record("stopped", True)
        if stop:
            raise StopTraining

    @property
    def is_in_last_phase(self) -> bool:
        """Whether no phase follows that of the present, or last, epoch."""
        return not phases_after(self.phases, phase_at(self.phases, max(0, self.epoch))[0])

    def fit_loop(self, X: Any, y: Any = None, epochs: Any = None, **kwargs: Any) -> Any:
        """Train; an interrupt keeps what was learned and says so."""
        self.interrupted = False
        try:
            return super().fit_loop(X, y, epochs, **kwargs)
        except StopTraining:
            if not self.is_in_last_phase:
                self._warn_of_end("stopped by a callback")
        except KeyboardInterrupt:
            self.interrupted = True
            self._warn_of_end("interrupted")
        return self

    def _warn_of_end(self, how: str) -> None:
        phase, _ = phase_at(self.phases, max(0, self.epoch))
        if self.history and "train_loss" not in self.history[-1]:
            del self.history[-1]
        missing = [later.name for later in phases_after(self.phases, phase)]
        where = f" of phase {phase.name!r} ({', '.join(missing)} did not begin)"
        warnings.warn(
            f"training was {how} after {len(self.history)} full epochs"
            f"{where if missing else ''}; what was learned so far is kept",
            P2PSelectWarning,
            stacklevel=2,
        )
