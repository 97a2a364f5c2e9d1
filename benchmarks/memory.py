"""Memory of training and prediction over a folder of many image files against few.

Writes JPEG files of digit scenes, trains a small P2P for one epoch on their paths, predicts
all of them, each number of files in a process of its own, and compares the peaks.

    python benchmarks/memory.py --json memory.json
    python benchmarks/memory.py --few 200 --many 1000
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.reproduction._memory import PeakMemory

#: Different scenes; more files than that repeat them.
N_SCENES = 500


def write_files(folder: Path, n_files: int, size: int) -> None:
    """Write JPEG files ``CLASS/NUMBER.jpg``."""
    scenes = datasets.make_digit_scenes(N_SCENES, size, random_state=0)
    codes = []
    for image in scenes.images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "jpeg", quality=85)
        codes.append(buffer.getvalue())
    for number in range(n_files):
        scene = number % N_SCENES
        file = folder / str(scenes.target[scene]) / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(codes[scene])


def train_and_predict(folder: Path, size: int) -> dict[str, float]:
    """Peaks in MiB: before anything, of one epoch, of prediction."""
    peak = PeakMemory()
    images, labels = datasets.load_image_folder(folder)
    peaks = {"files": len(labels), "start_mib": peak.mib()}
    settings = {
        **presets.SMALL,
        "image_size": size,
        "max_epochs": 1,
        "objective__warmup_epochs": 0,
    }
    clf = P2PClassifier().set_params(**settings, random_state=0).fit(images, labels)
    peaks["fit_mib"] = peak.mib()
    peak = PeakMemory()
    clf.predict(images)
    peaks["predict_mib"] = peak.mib()
    return peaks


def in_a_process(n_files: int, size: int) -> dict[str, float]:
    """The peaks for a folder of so many files."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), n_files, size)
        command = [sys.executable, __file__, "--folder", folder, "--size", str(size)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=2000, help="files of the small folder")
    parser.add_argument("--many", type=int, default=50_000, help="files of the large folder")
    parser.add_argument("--size", type=int, default=64, help="side of images and of the model")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--folder", type=Path, help="measure this folder and print JSON")
    options = parser.parse_args()
    if options.folder:
        print(json.dumps(train_and_predict(options.folder, options.size)))
        return
    few, many = (in_a_process(n, options.size) for n in (options.few, options.many))
    figures = {
        **{f"few_{name}": value for name, value in few.items()},
        **{f"many_{name}": value for name, value in many.items()},
        "fit_ratio": many["fit_mib"] / few["fit_mib"],
        "predict_ratio": many["predict_mib"] / few["predict_mib"],
    }
    figures["ratio"] = float(np.max([figures["fit_ratio"], figures["predict_ratio"]]))
    for name, value in figures.items():
        print(f"{name:20s} {value:.3f}" if isinstance(value, float) else f"{name:20s} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
