"""Cells in channels of 16 bits that are not colors, learned by ``p2pselect fit`` as they are.

--data is a folder with ``SPLIT/images/CLASS/FILE.tif``, TIFF files of three bands.  For every
seed, and on the same grid: P2P as the command trains it by default, told the number of channels
and to measure their range; and the same classifier on whole images, with the same epochs and
settings ("blackbox").  With --weights also logistic regression on the features of a pretrained
network that takes the three channels for colors ("probe").  Then P2P once each with two of the
channels, and with five, of which two are the first two blurred; both are files of NumPy.

    OMP_NUM_THREADS=1 python benchmarks/jurkat.py --data data/jurkat16 --weights weights \\
        --json benchmarks/results/jurkat.json

About 10 minutes of CPU time for each P2P, and 5 for each black box.  The parts are kept in
--out, and the same command goes on where it was stopped.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from measuring import Figures, finish, flat, means, photograph_parser
from photograph_methods import CHOICE_OF_C, cpu_seconds
from run_parts import RunParts
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from p2pselect import ImageSequence, datasets, load, presets
from p2pselect.images import as_images
from p2pselect.methods import BlackboxClassifier
from p2pselect.nn._backbones import create_timm

VALUE_RANGE = "percentiles"
PROBE, PROBE_SIDE = "tf_efficientnet_lite0", 128
#: Standard deviation in pixels of what the fourth and the fifth channel are blurred with.
BLUR = 2.0


def two_channels(cell: np.ndarray) -> np.ndarray:
    """The first two channels (h, w, 2)."""
    return cell[..., :2]


def five_channels(cell: np.ndarray) -> np.ndarray:
    """All channels, and the first two blurred (h, w, 5)."""
    blurred = [gaussian_filter(cell[..., c], BLUR) for c in (0, 1)]
    return np.dstack([cell, *blurred])


def listed(root: Path, split: str) -> tuple[ImageSequence, np.ndarray]:
    """The files of a split, of whatever kind, and their classes."""
    return datasets.load_image_folder(root / split / "images", extensions=(".tif", ".npy"))


@contextmanager
def written(root: Path, change: Callable[[np.ndarray], np.ndarray]) -> Iterator[Path]:
    """The same set with other channels, as files of NumPy."""
    with TemporaryDirectory() as folder:
        for split in ("train", "test"):
            files = listed(root, split)[0].files
            assert files is not None
            images = as_images(files, n_channels=3, value_range="dtype")
            for number, file in enumerate(files):
                path = Path(folder, Path(file).relative_to(root)).with_suffix(".npy")
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, change(np.rint(images[number] * 65535).astype(np.uint16)))
        yield Path(folder)


def p2pselect(arguments: list[str]) -> None:
    """Run the command line in a process of its own."""
    subprocess.run([sys.executable, "-m", "p2pselect", *arguments], check=True)


def p2p(root: Path, n_channels: int, seed: int, epochs: int | None) -> Figures:
    """P2P as the command trains it."""
    told = ["--channels", str(n_channels), "--value-range", VALUE_RANGE, "--seed", str(seed)]
    told += [] if epochs is None else ["--epochs", str(epochs)]
    start = cpu_seconds()
    with TemporaryDirectory() as folder:
        model = Path(folder, "cells.model")
        p2pselect(["fit", str(root / "train" / "images"), "--out", str(model), *told])
        clf = load(model)
    seconds = cpu_seconds() - start
    images, labels = listed(root, "test")
    exp = clf.explain(images)
    return {
        "accuracy": float((exp.predicted == labels).mean()),
        "kept_fraction": float(exp.kept_fraction.mean()),
        "answered": float(exp.answered.mean()),
        "epochs": clf.max_epochs,
        "cpu_seconds": seconds,
    }


def blackbox(root: Path, seed: int, epochs: int | None) -> Figures:
    """The classifier of P2P on whole images, in as many epochs."""
    images, labels = listed(root, "train")
    given = {"images__n_channels": 3, "images__value_range": VALUE_RANGE}
    given |= {} if epochs is None else {"max_epochs": epochs}
    settings = presets.suited_to(images, labels, **given)
    clf = BlackboxClassifier(**presets.settings_for(BlackboxClassifier, settings))
    start = cpu_seconds()
    clf.set_params(random_state=seed).fit(images, labels)
    seconds = cpu_seconds() - start
    images, labels = listed(root, "test")
    accuracy = float((clf.predict(images) == labels).mean())
    return {"accuracy": accuracy, "epochs": clf.max_epochs, "cpu_seconds": seconds}


def probe(root: Path, weights: Path) -> Figures:
    """Logistic regression on the features of a pretrained network that is frozen."""
    network = create_timm(PROBE, weights, num_classes=0).eval()
    mean, std = (np.float32(network.pretrained_cfg[name]) for name in ("mean", "std"))
    features, labels, value_range = {}, {}, VALUE_RANGE
    for split in ("train", "test"):
        files, labels[split] = listed(root, split)
        images = as_images(files, n_channels=3, value_range=value_range)
        value_range = images.value_range
        found = []
        for start in range(0, len(images), 64):
            pixels = images.batch(slice(start, start + 64), PROBE_SIDE)
            batch = torch.from_numpy((pixels - mean) / std).permute(0, 3, 1, 2)
            with torch.inference_mode():
                found.append(network(batch).numpy())
        features[split] = np.concatenate(found)
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": CHOICE_OF_C})
    search.fit(features["train"], labels["train"])
    accuracy = float(search.score(features["test"], labels["test"]))
    return {"accuracy": accuracy, "C": search.best_params_["C"]}


def over_seeds(runs: list[Figures]) -> Figures:
    """Means, and the ends of the accuracy."""
    accuracies = [run["accuracy"] for run in runs]
    mean = means(runs)
    return {
        "accuracy": mean.pop("accuracy"),
        "lowest": min(accuracies),
        "highest": max(accuracies),
        **mean,
    }


def main() -> None:
    options_parser = photograph_parser(__doc__, "the folder jurkat16")
    options_parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options_parser.add_argument("--epochs", type=int, help="to try it out")
    options_parser.add_argument("--out", type=Path, default=Path("jurkat-run"), help="the run")
    options = options_parser.parse_args()
    root, seeds, epochs = options.data, options.seeds, options.epochs
    images, labels = listed(root, "test")
    figures: Figures = {"n_test": len(images), "seeds": seeds}
    constant = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    rows = {"constant": {"accuracy": constant}}
    if options.weights:
        rows["probe"] = probe(root, options.weights)
    part = RunParts(options.out, data=root, epochs=epochs)
    rows["p2p"] = over_seeds([part(f"p2p-{s}", p2p, root, 3, s, epochs) for s in seeds])
    of_seeds = [part(f"blackbox-{s}", blackbox, root, s, epochs) for s in seeds]
    rows["blackbox"] = over_seeds(of_seeds)
    for name, change, n in (("two", two_channels, 2), ("five", five_channels, 5)):
        with written(root, change) as other:
            own = part(f"p2p-{name}-{seeds[0]}", p2p, other, n, seeds[0], epochs)
        rows[f"{name}_channels"] = own
    finish(figures | flat(rows), options.json)


if __name__ == "__main__":
    main()
