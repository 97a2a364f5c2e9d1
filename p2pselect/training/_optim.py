"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

from typing import Any

import torch
from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
LR_SCHEDULES = ("constant", "onecycle", "cosine")


def lr_callbacks(name: str, lr: float, total_steps: int) -> list[tuple[str, Callback]]:
    """Callbacks that change the learning rate batch by batch.

    Parameters
    ----------
    name : {"constant", "onecycle", "cosine"}
        ``"onecycle"`` rises from a 25th of ``lr`` to it in 30 % of the steps, then falls to
        almost 0 (Smith & Topin, 2019): a high rate from the start keeps a selector and a
        classifier that are both untrained from finding each other.  ``"cosine"`` falls from
        ``lr`` to 0.
    lr : float
    total_steps : int
    """
    options: dict[str, Any]
    if name == "constant":
        return []
    if name == "onecycle":
        options = {"policy": OneCycleLR, "max_lr": lr, "total_steps": total_steps + 1}
    else:
        options = {"policy": CosineAnnealingLR, "T_max": total_steps}
    # Every run has a schedule of its own: skorch would go on counting from the last one.
    return [("lr_schedule", LRScheduler(step_every="batch", last_epoch=-1, **options))]
