"""How a fitted estimator is written down: as a folder, or by pickle."""

from __future__ import annotations

import os
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor

from p2pselect.estimators._fitting import TrainedEstimator
from p2pselect.estimators._fixed_settings import fixed_by_fit
from p2pselect.estimators._inputs import resolve_regions
from p2pselect.exceptions import InputError
from p2pselect.training._seeding import Randomness, resolve_device
from p2pselect.training._surroundings import usual_surroundings


class StoredEstimator(TrainedEstimator):
    """``save``, ``load`` and pickling."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a folder; see :func:`p2pselect.persistence.save`."""
        from p2pselect.persistence import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a saved estimator of this class; see :func:`p2pselect.persistence.load`."""
        from p2pselect.persistence import load

        return load(path, cls)

    @usual_surroundings()
    def _restore(self, state: dict[str, Tensor], seed: int) -> None:
        """Build the networks anew and give them these weights."""
        self.regions_ = resolve_regions(self.regions, self.n_jobs)
        self._fixed_by_fit = fixed_by_fit(self)
        self.device_ = resolve_device(self.device if _is_there(self.device) else "auto")
        self._seed = seed
        with Randomness(seed, torch.device("cpu")).in_place():
            model = self._build_model(len(self.classes_))
        model.load_state_dict(state)
        self._adopt(model)

    def __getstate__(self) -> dict[str, Any]:
        # Weights on the CPU, no optimizer: opens on machines without the training device.
        state = dict(super().__getstate__())
        if state.pop("net_", None) is not None:
            model = self.module_
            state["module_"] = model if self.device_.type == "cpu" else deepcopy(model).cpu()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "module_" in state:
            wanted = self.device if _is_there(self.device) else "cpu"
            self.device_ = resolve_device(wanted)
            self._adopt(self.module_, self.history_)


def _is_there(device: str | torch.device) -> bool:
    try:
        resolve_device(device)
    except InputError:
        return False
    return True
