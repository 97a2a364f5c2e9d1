"""Frozen networks: what a step costs, and what a second training on the same images does.

P2P with the settings of ``presets.PHOTOS``, in which only the heads learn, on digit scenes.
The networks have random weights, which take as long as others.  All figures are CPU time, in
one thread.  "step over unfrozen" is the median epoch in which both networks learn, once all
views have come, over one in which all layers do.  The second fit has the same ``random_state``
and half the learning rate.  Where a tenth of the images is held out, it is predicted after
every epoch, and certainty is calibrated on it.

    OMP_NUM_THREADS=1 python benchmarks/frozen.py \\
        --json benchmarks/results/frozen.json
"""

import time
from typing import Any

import numpy as np
import torch
from measuring import Figures, finish, parser
from skorch.callbacks import Callback

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.training._data import N_VIEWS

N_IMAGES = 100
SETTINGS: dict[str, Any] = {**presets.PHOTOS, "pretrained": False, "random_state": 0}
FROZEN = {"networks__frozen_share": 1.0}
UNFROZEN = {"networks__frozen_share": 0.0, "max_epochs": N_VIEWS + 5}
HELD_OUT: dict[str, dict[str, Any]] = {
    "": {"validation": None, "search__calibration": None, "search__mean_kept": None},
    "_with_held_out_images": {"validation": 0.1},
}


class Clock(Callback):
    """CPU seconds of every epoch in which selector and classifier learn."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.seconds: list[float] = []

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.start = time.process_time()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if net.is_in_last_phase:
            self.seconds.append(time.process_time() - self.start)


def seconds_of_fit(scenes: Any, **changes: Any) -> tuple[float, float]:
    """CPU seconds of a training, and of the median epoch once all views have come."""
    clock = Clock()
    clf = P2PClassifier().set_params(**SETTINGS).set_params(**changes)
    clf.set_params(training__callbacks=[clock])
    start = time.process_time()
    clf.fit(scenes.images, scenes.target % 2)
    whole = time.process_time() - start
    return whole, float(np.median(clock.seconds[N_VIEWS:]))


def measure() -> Figures:
    """All ratios, and the seconds behind them."""
    side, figures = SETTINGS["image_size"], Figures()
    nothing_held_out = HELD_OUT[""]
    # Whatever is compiled or imported at the first use is not to be measured.
    warm_up = datasets.make_digit_scenes(16, side, random_state=0)
    seconds_of_fit(warm_up, **FROZEN, **nothing_held_out, max_epochs=N_VIEWS + 3)
    for number, (name, more) in enumerate(HELD_OUT.items(), start=1):
        # Images of their own: nothing is known of them.
        scenes = datasets.make_digit_scenes(N_IMAGES, side, random_state=number)
        first, step = seconds_of_fit(scenes, **FROZEN, **more)
        second, step_again = seconds_of_fit(scenes, **FROZEN, **more, lr=SETTINGS["lr"] / 2)
        figures[f"first_fit{name}_s"], figures[f"second_fit{name}_s"] = first, second
        figures[f"second_over_first_fit{name}"] = second / first
        if more is nothing_held_out:
            _, unfrozen = seconds_of_fit(scenes, **more, **UNFROZEN)
            figures["step_over_unfrozen"] = step / unfrozen
            figures["step_of_second_fit_over_unfrozen"] = step_again / unfrozen
    return figures


def main() -> None:
    options = parser(__doc__).parse_args()
    torch.set_num_threads(1)
    finish(measure(), options.json)


if __name__ == "__main__":
    main()
