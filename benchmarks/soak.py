"""Memory, threads and open files over many cycles of fit, predict, explain, save and load.

python benchmarks/soak.py --cycles 2000 --json soak.json
"""

import gc
import tempfile
import threading
from pathlib import Path

import numpy as np
from measuring import Figures, finish, parser

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, load, presets
from p2pselect.reproduction._memory import PeakMemory

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": SuperpixelTransformer(n_segments=16, n_jobs=2),
    "max_epochs": 1,
    "objective__warmup_epochs": 0,
    "batch_size": 16,
}
#: Cycles between two looks at the process.
STEP = 50


def cycle(seed: int, folder: Path) -> None:
    """Everything that a program does with a model, once."""
    scenes = datasets.make_digit_scenes(32, 32, random_state=seed % 7)
    clf = P2PClassifier().set_params(**SETTINGS, random_state=seed)
    clf.fit(scenes.images, scenes.target % 2)
    clf.predict(scenes.images)
    exp = clf.explain(scenes.images)
    exp.save(folder / "explanation.npz")
    clf.save(folder / "model")
    load(folder / "model").transform(scenes.images[:4])


def state() -> Figures:
    """What must not grow."""
    gc.collect()
    threads, files = Path("/proc/self/task"), Path("/proc/self/fd")
    return {
        "mib": PeakMemory().mib(),
        "threads": len([*threads.iterdir()]) if threads.is_dir() else threading.active_count(),
        "files": len([*files.iterdir()]) if files.is_dir() else 0,
    }


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--cycles", type=int, default=2000, help="at least 100")
    options = options_parser.parse_args()
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.cycles):
            cycle(number, Path(folder))
            if number % STEP == STEP - 1:
                seen.append(state())
                print(number + 1, seen[-1], flush=True)
    # The first tenth fills caches.
    first, last = seen[len(seen) // 10], seen[-1]
    slope = np.polyfit(np.arange(len(seen)), [row["mib"] for row in seen], 1)[0] / STEP
    figures: Figures = {"cycles": options.cycles, "mib_per_cycle": float(slope)}
    for name in first:
        figures |= {f"{name}_early": first[name], f"{name}_late": last[name]}
    finish(figures, options.json)


if __name__ == "__main__":
    main()
