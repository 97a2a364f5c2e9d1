"""How many epochs a method gets for P2P's CPU time: measured once, and written down.

A run may take days and go on elsewhere, so the epochs that were found stay in its folder,
``RUN/equal_cpu/DATASET.METHOD.json``, and are used for all seeds.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from p2pselect.atomic_write import write_json
from p2pselect.reproduction._run_store import RunStore
from p2pselect.reproduction._split import Split, load_split
from p2pselect.reproduction._suite import BLACKBOX, P2P, Suite, Variant

#: Training images that methods are timed on.
N_IMAGES = 128


class EqualCPU:
    """Finds the epochs of the methods on one data set; P2P is timed again in every process."""

    def __init__(
        self,
        suite: Suite,
        name: str,
        *,
        dataset: Any,
        root: Path | None,
        store: RunStore,
        device: str,
        weights: str | None,
    ) -> None:
        self._plan = suite.plans[name].with_weights(weights)
        self._name, self._store = name, store
        self._load = lambda: load_split(dataset, root, "train", N_IMAGES, 0)
        self._more: dict[str, Any] = {"random_state": 0, "device": device}
        self._timed: tuple[Split, int, float] | None = None

    def epochs(self, variant: Variant) -> int:
        """What is written down; measured, if nothing is."""
        path = self._store.folder / "equal_cpu" / f"{self._name}.{variant.method}.json"
        if not path.is_file():
            write_json(path, self._measured(variant))
        return int(json.loads(path.read_text(encoding="utf-8"))["epochs"])

    def _measured(self, variant: Variant) -> dict[str, float]:
        if self._timed is None:
            images = self._load()
            # The first training also compiles and loads what all of them need.
            self._seconds(P2P, images, max_epochs=1)
            n_epochs = self._plan.make_estimator(P2P).max_epochs
            self._timed = images, n_epochs, self._seconds(P2P, images)
        images, n_epochs, of_p2p = self._timed
        # Times are those of one epoch, and of as many as P2P has.
        many = max(n_epochs, 2)
        one, all_epochs = (self._seconds(variant, images, max_epochs=n) for n in (1, many))
        return {
            "epochs": epochs_within(of_p2p, one, all_epochs, many),
            "p2p_epochs": n_epochs,
            "p2p_cpu_seconds": of_p2p,
            "cpu_seconds_of_1_epoch": one,
            f"cpu_seconds_of_{many}_epochs": all_epochs,
            "n_images": len(images),
        }

    def _seconds(self, variant: Variant, images: Split, **changes: Any) -> float:
        """CPU time of a training on a few images."""
        more = {**self._more, "tau": "dynamic" if variant is P2P else self._plan.tau or 0.2}
        if "blackbox" in variant.estimator_class._get_param_names():
            # How well it has learned makes no difference to the time.
            blackbox = self._plan.make_estimator(BLACKBOX, **self._more)
            more["blackbox"] = blackbox.set_params(max_epochs=1).fit(
                images.images, images.target
            )
        own = replace(variant, changes={**variant.changes, **changes})
        clf = self._plan.make_estimator(own, **more)
        started = time.process_time()
        clf.fit(images.images, images.target)
        return time.process_time() - started


def epochs_within(seconds: float, one: float, many: float, n_epochs: int) -> int:
    """Epochs in a time, of a training that takes ``one`` for an epoch and ``many`` for more.

    What a training takes is a constant, such as that of a search for masks, and as much for
    every epoch.

    Examples
    --------
    >>> epochs_within(10.0, one=3.0, many=6.0, n_epochs=4)
    8
    """
    each = (many - one) / (n_epochs - 1)
    # A method whose epochs take no time that could be measured has as many as P2P.
    return n_epochs if each <= 0 else max(1, round(1 + (seconds - one) / each))
