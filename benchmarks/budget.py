"""Where the time of prediction and of training goes: CPU milliseconds per image, by part.

From JPEG files to probabilities, and one epoch of training, with the networks of
``presets.SMALL`` (64 px) and with the default ones (224 px), in one thread of torch.  The time
of a part is measured around it, in the thread that runs it; "rest" is what remains of the whole
process.

    OMP_NUM_THREADS=1 python benchmarks/budget.py --json budget.json
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from measuring import Figures, finish, parser
from PIL import Image

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.images import ImageSequence
from p2pselect.regions._transformer import SuperpixelTransformer

CASES: dict[str, dict[str, Any]] = {
    "small_64": {**presets.SMALL, "objective__warmup_epochs": 0},
    "default_224": {"pretrained": False, "batch_size": 16},
}
N_IMAGES = {"small_64": 512, "default_224": 32}


class Clock:
    """Seconds of CPU time by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.begun: dict[str, float] = {}

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[part] += time.thread_time() - start

        return timed

    @contextmanager
    def watching(self, clf: P2PClassifier) -> Iterator[None]:
        """Count the parts of whatever runs in the block."""
        read, propose = ImageSequence.batch, SuperpixelTransformer.propose_batch
        backward = torch.Tensor.backward
        ImageSequence.batch = self.around("read and resize", read)
        SuperpixelTransformer.propose_batch = self.around("regions", propose)
        torch.Tensor.backward = self.around("backward", backward)
        hooks = []
        for part, network in (
            ("selector", clf.module_.selector.pixel_scorer),
            ("classifier", clf.module_.classifier),
        ):
            hooks.append(network.register_forward_pre_hook(self._begin(part)))
            hooks.append(network.register_forward_hook(self._end(part)))
        try:
            yield
        finally:
            ImageSequence.batch, SuperpixelTransformer.propose_batch = read, propose
            torch.Tensor.backward = backward
            for hook in hooks:
                hook.remove()

    def _begin(self, part: str) -> Callable[..., None]:
        def begin(*_: Any) -> None:
            self.begun[part] = time.thread_time()

        return begin

    def _end(self, part: str) -> Callable[..., None]:
        def end(*_: Any) -> None:
            self.seconds[part] += time.thread_time() - self.begun[part]

        return end


def budget(clf: P2PClassifier, run: Callable[[], Any], n_images: int) -> dict[str, float]:
    """Milliseconds per image of each part of a run, of the rest, and of all."""
    run()  # compiles kernels and makes torch choose its own
    clock = Clock()
    with clock.watching(clf):
        start = time.process_time()
        run()
        total = time.process_time() - start
    parts = dict(clock.seconds)
    parts["rest"] = total - sum(parts.values())
    parts["all"] = total
    return {part: 1e3 * seconds / n_images for part, seconds in parts.items()}


def main() -> None:
    options = parser(__doc__).parse_args()
    figures: Figures = {}
    for case, settings in CASES.items():
        n = N_IMAGES[case]
        size = settings.get("image_size", 224)
        scenes = datasets.make_digit_scenes(n, image_size=size, random_state=0)
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{number}.jpg") for number in range(n)]
            for path, image in zip(paths, scenes.images, strict=True):
                Image.fromarray(image).save(path, quality=90)
            clf = P2PClassifier().set_params(**{**settings, "max_epochs": 0}, random_state=0)
            clf.fit(scenes.images, scenes.target)
            # Certain at the first tau: one pass of each network per image.
            clf.set_params(certainty_threshold=0.05, augment=None)
            runs = {
                "predict": lambda clf=clf, paths=paths: clf.predict(paths),
                "train": lambda clf=clf, paths=paths, y=scenes.target: clf.partial_fit(
                    paths, y
                ),
            }
            for name, run in runs.items():
                parts = budget(clf, run, n)
                figures |= {f"{case}_{name}_{part}": ms for part, ms in parts.items()}
    finish(figures, options.json)


if __name__ == "__main__":
    main()
