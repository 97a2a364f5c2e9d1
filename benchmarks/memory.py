"""Memory of training and prediction, for a folder of many image files versus one of few.

Writes JPEG files of digit scenes, trains a small P2P on their paths for one epoch, predicts
all of them, each number of files in a process of its own, and compares the peaks.

    python benchmarks/memory.py --json memory.json
    python benchmarks/memory.py --few 200 --many 1000
"""

import io
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from measuring import Figures, finish, parser
from PIL import Image

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.reproduction._memory import PeakMemory

#: Number of different scenes; more files than that repeat them.
N_SCENES = 500


def write_files(folder: Path, n_files: int, side: int) -> None:
    """Write JPEG files ``CLASS/NUMBER.jpg``."""
    scenes = datasets.make_digit_scenes(min(n_files, N_SCENES), side, random_state=0)
    codes = []
    for image in scenes.images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "jpeg", quality=85)
        codes.append(buffer.getvalue())
    for number in range(n_files):
        scene = number % len(codes)
        file = folder / str(scenes.target[scene]) / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(codes[scene])


def train_and_predict(folder: Path, size: int) -> Figures:
    """Peaks in MiB: before anything, of one epoch, of prediction."""
    peak = PeakMemory()
    images, labels = datasets.load_image_folder(folder)
    peaks = {"files": len(labels), "start_mib": peak.mib()}
    settings = {**presets.SMALL, "image_size": size, "max_epochs": 1}
    settings |= {"objective__warmup_epochs": 0, "random_state": 0}
    clf = P2PClassifier().set_params(**settings)
    with warnings.catch_warnings():
        # One epoch need not teach anything.
        warnings.simplefilter("ignore", P2PSelectWarning)
        clf.fit(images, labels)
    peaks["fit_mib"] = peak.mib()
    peak = PeakMemory()
    clf.predict(images)
    peaks["predict_mib"] = peak.mib()
    return peaks


def peaks_in_own_process(n_files: int, size: int, side: int) -> Figures:
    """The peaks for a folder of this many files, with a model of another image size."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), n_files, side)
        command = [sys.executable, __file__, "--folder", folder, "--size", str(size)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def memory_figures(n_few: int, n_many: int, size: int, side: int) -> Figures:
    """The peaks for few and for many files, and their ratios."""
    few, many = (peaks_in_own_process(n, size, side) for n in (n_few, n_many))
    figures = {f"few_{name}": value for name, value in few.items()}
    figures |= {f"many_{name}": value for name, value in many.items()}
    parts = ("fit", "predict")
    ratios = {f"{name}_ratio": many[f"{name}_mib"] / few[f"{name}_mib"] for name in parts}
    return {**figures, **ratios, "ratio": max(ratios.values())}


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--few", type=int, default=2000, help="files of one folder")
    options_parser.add_argument("--many", type=int, default=50_000, help="of the other")
    options_parser.add_argument("--size", type=int, default=64, help="side of images and model")
    options_parser.add_argument("--folder", type=Path, help="measure this and print JSON")
    options = options_parser.parse_args()
    if options.folder:
        print(json.dumps(train_and_predict(options.folder, options.size)))
    else:
        figures = memory_figures(options.few, options.many, options.size, options.size)
        finish(figures, options.json)


if __name__ == "__main__":
    main()
