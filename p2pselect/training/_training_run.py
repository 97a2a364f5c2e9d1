"""From an estimator's settings to a running skorch net."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, LRScheduler
from skorch.helper import predefined_split
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from p2pselect.distributed import Group
from p2pselect.exceptions import InputError, TrainingError
from p2pselect.nn._image_network import keeping_features
from p2pselect.nn._kept_features import KeptFeatures
from p2pselect.training._averaging import WeightAverage
from p2pselect.training._callbacks import BestEpoch
from p2pselect.training._checkpoints import Checkpoints, checkpoint_path
from p2pselect.training._data import TrainingData, Views, identity
from p2pselect.training._net import SelectiveNet
from p2pselect.training._phases import Phase
from p2pselect.training._progress import TrainingProgress
from p2pselect.training._shares import synchronized_batch_norm
from p2pselect.training._stream import TrainingStream

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
LR_SCHEDULES = ("constant", "onecycle", "cosine")


def new_net(settings: Any, module: nn.Module, phases: Sequence[Phase]) -> SelectiveNet:
    """An initialized net with a fresh optimizer and an empty history."""
    options = settings._training_options
    optimizer = options.optimizer
    net = SelectiveNet(
        module,
        phases=phases,
        micro_batch_size=options.micro_batch_size,
        label_smoothing=options.label_smoothing,
        backbone_lr_share=options.backbone_lr_share,
        optimizer=optimizer if callable(optimizer) else OPTIMIZERS[optimizer],
        optimizer__weight_decay=options.weight_decay,
        lr=settings.lr,
        batch_size=settings.batch_size,
        device=str(settings.device_),
        train_split=None,
        iterator_train__collate_fn=identity,
        iterator_train__num_workers=options.num_workers,
        iterator_valid__collate_fn=identity,
        iterator_valid__num_workers=options.num_workers,
        callbacks=options.callbacks or [],
        use_caching=True,  # scores of an epoch are those of the predictions made in it
        callbacks__print_log=None,
        verbose=0,
    )
    return net.initialize()


def take_over(after: torch.optim.Optimizer, before: torch.optim.Optimizer) -> None:
    """Give an optimizer what one of its kind has gathered; lr and the like stay its own."""
    if type(after) is not type(before) or len(after.param_groups) != len(before.param_groups):
        return
    now = [{k: v for k, v in g.items() if k != "params"} for g in after.param_groups]
    after.load_state_dict(before.state_dict())
    for group, own in zip(after.param_groups, now, strict=True):
        group.update(own)


def train(
    net: SelectiveNet,
    data: TrainingData | TrainingStream,
    held_out: TrainingData | None,
    settings: Any,
    processes: Group,
    schedules: Sequence[int],
    watchers: Sequence[tuple[str, Callback]] = (),
) -> int:
    """Train for the epochs of every learning rate schedule, one schedule after the other.

    The ``processes`` share the training; ``watchers`` are callbacks besides those of the user.
    Returns the seed of the training: that of the checkpoint where one was taken up.
    """
    options = settings._training_options
    end = len(net.history)
    net.average = best = None
    if options.ema_decay is not None:
        net.average = WeightAverage(net.module_, options.ema_decay)
    if options.patience is not None and held_out is not None:
        best = BestEpoch(options.patience)
        watchers = [*watchers, ("best_epoch", best)]
    checkpoints = None
    if options.checkpoint_dir is not None and not end:
        path = checkpoint_path(options.checkpoint_dir, settings, data, held_out)
        others = [other for other in (net.average, best) if other is not None]
        checkpoints = Checkpoints(path, data.seed, others, processes)
        if checkpoints.restore(net):
            schedules = ()
        data.seed = checkpoints.seed
        watchers = [*watchers, ("checkpoints", checkpoints)]
    for epochs in schedules:
        end += epochs
        done = max(0, len(net.history) - end + epochs)
        if done >= epochs:
            continue  # before it was stopped
        if checkpoints is not None:
            checkpoints.end = end
        try:
            _run_epochs(net, data, held_out, epochs, settings, processes, watchers, done)
        except TrainingError as error:
            if checkpoints is None:
                raise
            raise checkpoints.named_in(error, len(net.history) - 1) from error
        if len(net.history) < end:
            break  # interrupted: what comes after builds on what was not learned
    if net.average is not None:
        net.average.take_over(net.module_)  # where an epoch was interrupted
        net.average = None
    if best is not None:
        best.take_over(net.module_)
    return data.seed


def _run_epochs(
    net: SelectiveNet,
    data: TrainingData | TrainingStream,
    held_out: TrainingData | None,
    epochs: int,
    settings: Any,
    processes: Group,
    watchers: Sequence[tuple[str, Callback]],
    done: int,
) -> None:
    """Train for ``epochs`` epochs, of which ``done`` were trained before it was stopped."""
    net.train_split = predefined_split(held_out) if held_out is not None else None
    net.group, net.seed = processes, data.seed
    net.kept = KeptFeatures(settings._training_options.cache_dir)
    net.predictor = settings._predict_views
    net.kind = settings._kind
    net.measures_predictions = settings._measures_predictions
    net.classes_ = np.arange(len(settings.classes_))
    parts = [data] if held_out is None else [data, held_out]
    for part in parts:
        part.group = processes
    if settings._training_options.num_workers:
        check_sendable(data.views)
    for name, value in data.loading(net.batch_size).items():
        setattr(net, f"iterator_train__{name}", value)
    steps = data.n_batches(net.batch_size)
    schedule = settings._training_options.lr_schedule
    groups = net.optimizer_.param_groups
    rates = [settings.lr * group.get("lr_share", 1.0) for group in groups]
    extra = lr_callbacks(schedule, rates, max(1, steps * epochs))
    for group, rate in zip(groups, rates, strict=True) if extra else ():
        group["lr"] = rate  # the schedule of a run before has ended near 0
    if settings.verbose and processes.rank == 0:
        n_held_out = 0 if held_out is None else len(held_out)
        extra.append(("progress", TrainingProgress(epochs, done, n_held_out)))
    extra.extend(watchers)
    for _name, callback in extra:
        callback.initialize()
    net.watchers = extra
    try:
        with (
            synchronized_batch_norm(net.module_, settings.device_, processes),
            keeping_features(net.module_, net.kept if data.views.come_again else None),
        ):
            net.partial_fit(data, None, epochs=epochs - done)
    finally:
        net.watchers = []
        net.group = Group()
        for part in parts:
            part.group = net.group
        net.predictor = None  # it belongs to the estimator that holds the net: a circle


def lr_callbacks(name: str, rates: list[float], total_steps: int) -> list[tuple[str, Callback]]:
    """Callbacks that change the learning rates of groups of parameters batch by batch.

    ``"onecycle"`` rises from a 25th of the rate to it in 30 % of the steps, then falls to
    almost 0 (Smith & Topin, 2019): with a high rate from the start, a selector and a classifier
    that are both untrained do not find each other.  ``"cosine"`` falls from the rate to 0.
    """
    options: dict[str, Any]
    if name == "constant":
        return []
    if name == "onecycle":
        options = {"policy": OneCycleLR, "max_lr": rates, "total_steps": total_steps + 1}
    else:
        options = {"policy": CosineAnnealingLR, "T_max": total_steps}
    # Every run has a schedule of its own: skorch would go on counting from the last one.
    return [("lr_schedule", LRScheduler(step_every="batch", last_epoch=-1, **options))]


def check_sendable(views: Views) -> None:
    """Raise if workers are spawned, and ``augment`` or ``regions`` cannot be pickled."""
    # Asked without allow_none, multiprocessing would settle on its default from now on.
    set_by_program = multiprocessing.get_start_method(allow_none=True)
    if (set_by_program or multiprocessing.get_all_start_methods()[0]) == "fork":
        return
    try:
        pickle.dumps(views)
    # An object can raise anything when it is pickled.
    except Exception as error:
        raise InputError(
            f"num_workers: augment or regions cannot be sent to a worker process ({error}); "
            "use functions of a module, or num_workers=0"
        ) from error
