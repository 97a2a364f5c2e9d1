"""How time and memory grow with images, classes, regions and pixels.

One of the four doubles several times while the others stay, and every step from a folder of
JPEG files to a report is timed: listing the folder, dividing images into regions, a training of
one pass, prediction, explanations, and the report about them.  An exponent is the slope of log
CPU time over log size at the three largest sizes, where what every call costs anyway matters
least: 1 is linear.  Of several rounds the fastest counts.  "memory" is the peak during the
largest number of images over that during the smallest, of the process as a whole.

    OMP_NUM_THREADS=1 python benchmarks/growth.py --json benchmarks/results/growth.json
"""

import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measuring import Figures, finish, parser
from PIL import Image

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, presets
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.reproduction._memory import PeakMemory

#: An exponent above this is worse than linear.
MOST = 1.1
#: Sizes whose slope is the exponent.
N_LARGEST = 3


@dataclass(frozen=True)
class Case:
    """How much there is to do."""

    images: int = 64
    classes: int = 4
    regions: int = 16
    side: int = 32  # of the model's images; files have at least 128 pixels a side


CASES: dict[str, dict[int, Case]] = {
    "images": {n: Case(images=n) for n in (250, 500, 1000, 2000, 4000)},
    "classes": {k: Case(images=1000, classes=k) for k in (125, 250, 500, 1000)},
    "regions": {d: Case(regions=d, side=128) for d in (125, 250, 500, 1000, 2000)},
    "pixels": {side**2: Case(side=side, regions=64) for side in (64, 90, 128, 181, 256, 362)},
}


def write_images(case: Case, folder: Path) -> None:
    """Write photographs of nothing: noise of several coarsenesses, ``CLASS/NUMBER.jpg``."""
    rng = np.random.default_rng(0)
    side = max(case.side, 128)
    for number in range(case.images):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).resize((side, side))
        noise = rng.integers(-20, 21, (side, side, 3))
        pixels = (np.asarray(coarse) + noise).clip(0, 255).astype(np.uint8)
        file = folder / f"{number % case.classes:04}" / f"{number:06}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)


def measure(case: Case) -> tuple[Figures, Figures]:
    """CPU seconds and peak MiB of every step."""
    seconds: Figures = {}
    peaks: Figures = {}

    @contextmanager
    def measured(step: str) -> Iterator[None]:
        peak, start = PeakMemory(), time.process_time()
        yield
        seconds[step] = time.process_time() - start
        peaks[step] = peak.mib()

    settings = {**presets.SMALL, "image_size": case.side, "max_epochs": 1}
    settings |= {"objective__warmup_epochs": 0, "validation": None, "random_state": 0}
    clf = P2PClassifier().set_params(**settings)
    clf.set_params(regions=SuperpixelTransformer(n_segments=case.regions))
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        # One pass over noise teaches nothing.
        warnings.simplefilter("ignore", P2PSelectWarning)
        folder = Path(name) / "images"
        write_images(case, folder)
        with measured("listing"):
            images, labels = datasets.load_image_folder(folder)
        some = images.batch(slice(0, 128), case.side)
        with measured("regions"):
            clf.regions.propose_batch(some)
        with measured("fit"):
            clf.fit(images, labels)
        with measured("predict"):
            clf.predict(images)
        with measured("explain"):
            exp = clf.explain(images)
        with measured("report"):
            exp.to_html(Path(name) / "report.html", y=labels, max_images=len(images))
    return seconds, peaks


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log seconds over log size at the largest sizes."""
    logs = np.log(sizes), np.log(seconds)
    return float(np.polyfit(*(values[-N_LARGEST:] for values in logs), deg=1)[0])


def growth(cases: dict[int, Case], rounds: int) -> tuple[Figures, Figures]:
    """Exponents, and peaks at the largest size over those at the smallest, of every step."""
    fastest: dict[str, dict[int, float]] = defaultdict(dict)
    peak: dict[str, dict[int, float]] = defaultdict(dict)
    for _ in range(rounds):
        for size, case in cases.items():
            seconds, peaks = measure(case)
            for step, value in seconds.items():
                fastest[step][size] = min(value, fastest[step].get(size, np.inf))
                # Later rounds begin with what the first one has left.
                peak[step].setdefault(size, peaks[step])
    sizes = [*cases]
    exponents = {step: exponent(sizes, [*found.values()]) for step, found in fastest.items()}
    return exponents, {step: found[sizes[-1]] / found[sizes[0]] for step, found in peak.items()}


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--rounds", type=int, default=1, help="the fastest counts")
    options_parser.add_argument("--of", nargs="+", choices=CASES, default=[*CASES])
    options = options_parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    measure(replace(Case(), images=16))  # whatever is compiled or loaded at first use
    figures: Figures = {}
    for name in options.of:
        exponents, peaks = growth(CASES[name], options.rounds)
        figures[f"{name}_sizes"] = " ".join(map(str, CASES[name]))
        # As many images are divided, however many there are.
        steps = [step for step in exponents if step != "regions" or name != "images"]
        figures |= {f"{name}_{step}": exponents[step] for step in steps}
        if name == "images":
            figures |= {f"memory_{step}": peaks[step] for step in ("fit", "predict")}
    above = [k for k, v in figures.items() if isinstance(v, float) and v > MOST]
    figures["above"] = ", ".join(above) or "none"
    figures["seconds"] = time.process_time() - start
    finish(figures, options.json)


if __name__ == "__main__":
    main()
