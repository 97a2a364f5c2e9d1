"""How P2P trains and where it cuts its masks; its settings are those of ``P2PClassifier``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.methods._p2p_loss import P2PObjective, RandomMaskObjective
from p2pselect.nn._model import SelectiveModel
from p2pselect.nn._selectors import Selector
from p2pselect.selection import SelectionRule
from p2pselect.training._phases import Phase

#: Below this many images, on a CPU, the default networks are a poor choice.
SMALL_DATA = 5000


class P2PHooks(SelectiveImageClassifier):
    """Networks, phases and masks of P2P."""

    #: The only tau that training was for; None where it was for all of them.
    trained_tau_: float | None = None

    # Settings of P2PClassifier.
    selection: str
    tau_training: str
    tau_input: str
    embedding_dim: int
    sparsity_weight: float
    covariance_weight: float
    temperature: float
    final_temperature: float
    n_samples_mc: int
    straight_through: bool
    warmup_epochs: int

    def _build_model(self, n_classes: int) -> SelectiveModel:
        told = self.tau_input if self.trained_tau_ is None else None
        scorer = Selector(self._build_scorer(1 + self.embedding_dim), self.embedding_dim, told)
        return SelectiveModel(scorer, self._build_classifier(n_classes))

    def _phases(self) -> Sequence[Phase]:
        warmup = min(self.warmup_epochs, self.max_epochs)
        objective = P2PObjective(
            sparsity_weight=self.sparsity_weight,
            covariance_weight=self.covariance_weight,
            tau_min=self.tau_min,
            tau=self.trained_tau_,
            temperature=self.temperature,
            final_temperature=self.final_temperature,
            n_samples_mc=self.n_samples_mc,
            straight_through=self.straight_through,
        )
        return [
            Phase("warmup", warmup, RandomMaskObjective(self.tau_min), ("classifier",)),
            Phase("joint", self.max_epochs - warmup, objective, ("selector", "classifier")),
        ]

    @property
    def _tau_to_train(self) -> float | None:
        every = self.tau == "dynamic" or self.tau_training == "uniform"
        return None if every else float(self.tau)

    def _check_continues(self) -> None:
        if self._tau_to_train != self.trained_tau_:
            raise InputError(
                f"training can only go on for {_tau_name(self.trained_tau_)}, as it began, got "
                f"tau={brief(self.tau)} and tau_training={brief(self.tau_training)}; fit a new "
                "model"
            )

    def _prepare(self, n_images: int, again: bool) -> None:
        self.trained_tau_ = self._tau_to_train
        super()._prepare(n_images, again)
        untouched = self.classifier == "vit_tiny_patch16_224" and self.image_size >= 224
        if self.device_.type == "cpu" and untouched and n_images < SMALL_DATA:
            warnings.warn(
                f"{n_images} images on a CPU: P2PClassifier(**p2pselect.presets.SMALL) "
                "trains far faster than the default networks and is likely more accurate",
                P2PSelectWarning,
                stacklevel=3,
            )

    def _prediction_parameters(self) -> frozenset[str]:
        own = super()._prediction_parameters() | {"selection"}
        return own | {"tau"} if self.tau_training == "uniform" else own

    def _check_tau(self, tau: float | str) -> None:
        if self.trained_tau_ in (None, tau) or self.selection == "budget":
            return
        raise InputError(
            f"tau={tau!r} of a P2PClassifier that was trained for tau={self.trained_tau_:g} "
            "alone: its selector is not told tau.  Fit with tau='dynamic' or "
            "tau_training='uniform' to ask one model for several tau, or set "
            "selection='budget', which cuts the ranking of the regions at any tau"
        )

    def _selection_rule(self) -> SelectionRule:
        cut = "budget" if self.selection == "budget" else "probability"
        return replace(super()._selection_rule(), cut=cut, tau_offsets=self._tau_offsets)

    def _tau_offsets(self, tau_grid: np.ndarray) -> Tensor:
        grid = torch.tensor(tau_grid, dtype=torch.float32, device=self.device_)
        return self.module_.selector.tau_offset(grid)[:, 0]


def _tau_name(trained_tau: float | None) -> str:
    return "every tau" if trained_tau is None else f"tau={trained_tau:g} alone"
