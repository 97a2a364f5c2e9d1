"""The settings of training that few people change, as one group."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from p2pselect._settings import AT_LEAST_ONE, NOT_NEGATIVE, Options, setting
from p2pselect.nn._image_network import PRECISIONS
from p2pselect.training._training_run import LR_SCHEDULES, OPTIMIZERS


class TrainingOptions(Options):
    """Optimizer, precision, callbacks and checkpoints: the ``training`` of an estimator.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> TrainingOptions(optimizer="adamw").set_params(weight_decay=0.01)
    TrainingOptions(optimizer='adamw', weight_decay=0.01)
    """

    optimizer: Any = setting(
        "Name of an optimizer, or a class such as those of ``torch.optim``.",
        StrOptions(set(OPTIMIZERS)),
        callable,
        default="adam",
    )
    lr_schedule: str = setting(
        "How the learning rate changes within a training, batch by batch.",
        StrOptions(set(LR_SCHEDULES)),
        default="constant",
    )
    backbone_lr_share: float = setting(
        "Learning rate of the networks' backbones as a share of ``lr``, which is that of their "
        "heads.  Pretrained layers need smaller steps than heads that start from random "
        "weights; .1 is usual for them.",
        Interval(Real, 0, 1, closed="right"),
        default=1.0,
    )
    label_smoothing: float = setting(
        "Share of every target that is spread over all classes in the cross-entropy of "
        "classifiers; .1 is usual.  Answers become less certain, so that more is kept at a "
        "given ``certainty_threshold``.  Rewards of selectors and measures on held-out images "
        "are never smoothed.",
        Interval(Real, 0, 1, closed="left"),
        default=0.0,
    )
    weight_decay: float = setting("Weight decay of the optimizer.", NOT_NEGATIVE, default=0.0)
    patience: int | None = setting(
        "End the training after this many epochs whose ``valid_loss`` was not the lowest one, "
        "and predict with the weights of the epoch that had it.  Needs held-out images "
        "(``validation``).  Only epochs of the last phase count, as the others prepare for "
        "it.\n\n"
        "A rate that falls to 0 does its work in the last epochs, so use it with "
        '``lr_schedule="constant"``.  None trains for ``max_epochs`` and keeps the last '
        "weights: the epoch that looks best on a hundred images is best by luck, too.",
        AT_LEAST_ONE,
        default=None,
    )
    ema_decay: float | None = setting(
        "Predict with a moving average of the weights, which decays by this factor per step; "
        ".99 to .9999 are usual.",
        Interval(Real, 0, 1, closed="neither"),
        default=None,
    )
    micro_batch_size: int | None = setting(
        "Images that go through the networks at once in training; the gradients of a batch are "
        "summed, while batch norm sees each part by itself.  It is halved, with a warning, "
        "when a GPU runs out of memory.",
        AT_LEAST_ONE,
        default=None,
    )
    precision: str = setting(
        '``"bf16-mixed"`` runs the networks in bfloat16 wherever torch\'s autocast does.',
        StrOptions(set(PRECISIONS)),
        default="32",
    )
    compile: bool = setting(
        "Compile the networks with :func:`torch.compile`; where that fails, there is a warning "
        "and the networks run uncompiled.",
        "boolean",
        default=False,
    )
    n_views: int | str | None = setting(
        "How many random views every image has, which take turns from epoch to epoch; None "
        'makes a new one each time.  ``"auto"`` is 4 where a network that sees whole images is '
        "wholly frozen (``networks__frozen_share=1.0``), and None otherwise.  What such a "
        "network says of a view is computed once, rounded to 16 bits, and kept in memory "
        "(512 MiB per process) for later epochs and other trainings on the same images: those "
        "of a grid search, for example.  On a CPU, so is what a wholly frozen classifier says "
        "of a view behind a random mask, for trainings with the same ``random_state``.  With "
        "None it is computed each time.",
        StrOptions({"auto"}),
        AT_LEAST_ONE,
        None,
        default="auto",
        kind='int, "auto" or None',
    )
    cache_dir: str | os.PathLike[str] | None = setting(
        "Folder for what frozen networks say of the views (up to 8 GiB), so that other "
        "programs find it there, and that more than fits into memory is kept.  It can be "
        "deleted at any time.",
        str,
        HasMethods(["__fspath__"]),
        default=None,
        kind="str or path-like",
        role="machine",
        saved=False,
    )
    num_workers: int = setting(
        "Processes that read and augment training images.",
        Interval(Integral, 0, None, closed="left"),
        default=0,
        role="machine",
    )
    callbacks: list[Any] | None = setting(
        'Callbacks of skorch, for example ``EarlyStopping(monitor="valid_loss")`` together '
        "with ``validation``.  Callbacks that compare epochs only see those of the "
        "last phase, because all phases before it prepare for it.",
        list,
        default=None,
        kind="list of skorch callbacks",
        role="machine",
        saved=False,
    )
    checkpoint_dir: str | os.PathLike[str] | None = setting(
        "Folder for the state of training, which is written after every epoch.  A training "
        "that was stopped goes on when the same lines run again, and ends as it would have.  "
        "Trainings with other settings or data have files of their own there; callbacks start "
        "from scratch.",
        str,
        HasMethods(["__fspath__"]),
        default=None,
        kind="str or path-like",
        role="machine",
        saved=False,
    )
