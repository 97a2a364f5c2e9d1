"""What a graphics card gains, and whether it decides as a processor does.

Training images per second at 224 px in bfloat16 with compiled networks, over those of the
released configuration (both networks alone, in 32 bits, torch's own memory layout, data already
on the card); the share of an epoch in which the card waits for images and regions; prediction
against the naive search; memory against batch size; the decisions of card and processor; a
training in bfloat16 against one in 32 bits; a grid search of two fits at once on one card; and
``torchrun`` with one process for every card.

Without a card, or with --small, everything runs on the processor in a small version, which
shows that it runs and nothing else.  Every part writes its figures as soon as it has them; a
part that fails says so without ending the others.

    python benchmarks/gpu.py --json benchmarks/results/gpu.json
    python benchmarks/gpu.py --small
"""

import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inference import predict_naive
from measuring import Figures, finish, parser
from PIL import Image
from sklearn.model_selection import GridSearchCV

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, load, presets

BF16 = {"training__precision": "bf16-mixed"}
FAST = {**BF16, "training__compile": True}
#: Trains one model; run by every process of torchrun.
SCRIPT = """
import sys
import numpy as np
from p2pselect import P2PClassifier, datasets, presets

scenes = datasets.make_digit_scenes(256, image_size=64, random_state=0)
settings = {**presets.SMALL, "max_epochs": 2, "device": sys.argv[2]}
clf = P2PClassifier(**settings, random_state=0).fit(scenes.images, scenes.target)
np.save(sys.argv[1], clf.predict_proba(scenes.images))
"""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    device: str
    image_size: int
    n_images: int
    batch_size: int
    epochs: int
    demo_images: int
    demo_epochs: int
    batches: tuple[int, ...]
    workers: int

    @property
    def on_card(self) -> bool:
        return self.device == "cuda"


def make_size(small: bool) -> Size:
    if small or not torch.cuda.is_available():
        return Size("cpu", 64, 64, 16, 2, 400, 3, (8, 16), 1)
    return Size("cuda", 224, 2048, 64, 3, 4000, 14, (32, 64, 128, 256), os.cpu_count() or 1)


def synchronized(size: Size) -> float:
    """The time, once the card has done what it was told."""
    if size.on_card:
        torch.cuda.synchronize()
    return time.perf_counter()


def photographs(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Digit scenes at the side of the default networks."""
    scenes = datasets.make_digit_scenes(size.n_images, size.image_size, random_state=0)
    return scenes.images, scenes.target


def default_networks(size: Size, **settings: Any) -> P2PClassifier:
    """The paper's networks and objective, without pretrained weights: they cost the same."""
    clf = P2PClassifier(
        pretrained=False,
        image_size=size.image_size,
        batch_size=size.batch_size,
        max_epochs=size.epochs,
        device=size.device,
        augment=None,
        random_state=0,
    )
    return clf.set_params(objective__random_share=0.0).set_params(**settings)


def released_step_seconds(size: Size, images: np.ndarray) -> float:
    """Median seconds of a forward and backward pass of both networks and a step of Adam."""
    clf = default_networks(size, max_epochs=0).fit(images[:32], np.arange(32) % 2)
    model = clf.module_.to(memory_format=torch.contiguous_format).train().requires_grad_()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    pixels = torch.tensor(images[: size.batch_size], device=size.device)
    batch = pixels.permute(0, 3, 1, 2).float().div(255).contiguous()
    seconds = []
    for _ in range(size.epochs * 8):
        start = synchronized(size)
        optimizer.zero_grad()
        networks = (model.selector, model.classifier)
        sum(network(batch).square().mean() for network in networks).backward()
        optimizer.step()
        seconds.append(synchronized(size) - start)
    return float(np.median(seconds[len(seconds) // 4 :]))


def images_per_second(clf: P2PClassifier, n_images: int) -> float:
    """Of the fastest epoch; the first one compiles and warms up."""
    return n_images / min(clf.history_[1:, "dur"])


def training(size: Size) -> Figures:
    """Images per second of ``fit``, over those of the released networks alone."""
    images, target = photographs(size)
    regions = SuperpixelTransformer(n_segments=100).propose_batch(images)
    released = size.batch_size / released_step_seconds(size, images)
    figures = {"released_images_per_s": released}
    variants = {"32": {}, "bf16": BF16, "bf16_compiled": FAST}
    for name, settings in variants.items():
        clf = default_networks(size, **settings).fit(images, target, regions=regions)
        figures[f"{name}_images_per_s"] = images_per_second(clf, len(images))
        figures[f"{name}_over_released"] = figures[f"{name}_images_per_s"] / released
    return figures


def waiting(size: Size) -> Figures:
    """Share of an epoch spent waiting: JPEG files, the paper's views, regions of each view."""
    images, target = photographs(size)
    regions = SuperpixelTransformer(n_segments=100).propose_batch(images)
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number:05}.jpg") for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path, quality=90)
        for name, settings in {"32": {}, "bf16_compiled": FAST}.items():
            fed = default_networks(size, **settings).fit(images, target, regions=regions)
            least = min(fed.history_[1:, "dur"])
            for augment in ("flip", "paper"):
                clf = default_networks(
                    size, augment=augment, training__num_workers=size.workers, **settings
                ).fit([str(path) for path in paths], target)
                share = 1 - least / min(clf.history_[1:, "dur"])
                figures[f"waiting_share_{name}_{augment}"] = max(0.0, share)
    return figures


def demo_model(size: Size, **settings: Any) -> tuple[P2PClassifier, np.ndarray, np.ndarray]:
    """A model of digit scenes, and images that it has not seen."""
    train = datasets.make_digit_scenes(size.demo_images, image_size=64, random_state=0)
    test = datasets.make_digit_scenes(1024, image_size=64, split="test", random_state=0)
    clf = P2PClassifier(
        **{**presets.SMALL, "max_epochs": size.demo_epochs, "device": size.device},
        random_state=0,
    ).set_params(**settings)
    return clf.fit(train.images, train.target), test.images, test.target


def prediction(size: Size) -> Figures:
    """Prediction over the naive loop, regions given, and what the processor decides."""
    clf, images, target = demo_model(size, search__fallback="everything")
    regions = clf.regions_.propose_batch(images)
    ours: list[float] = []
    naive: list[float] = []
    for _ in range(5):
        start = synchronized(size)
        proba = clf.predict_proba(images, regions=regions)
        ours.append(synchronized(size) - start)
        start = synchronized(size)
        slow = predict_naive(clf, images, regions)
        naive.append(synchronized(size) - start)
    figures = {
        "accuracy": float((clf.classes_[proba.argmax(axis=1)] == target).mean()),
        "naive_over_predict": float(np.median(naive) / np.median(ours)),
        "largest_difference_to_naive": float(np.abs(proba - slow).max()),
    }
    with tempfile.TemporaryDirectory() as folder:
        clf.save(Path(folder, "model"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            on_processor = load(Path(folder, "model")).set_params(device="cpu")
            on_processor.save(Path(folder, "again"))
            on_processor = load(Path(folder, "again"))
    here, there = (model.explain(images, regions=regions) for model in (clf, on_processor))
    same_masks = (here.pixel_masks == there.pixel_masks).all(axis=(1, 2))
    figures |= {
        "same_labels_on_cpu": float(
            (here.proba.argmax(axis=1) == there.proba.argmax(axis=1)).mean()
        ),
        "same_masks_on_cpu": float(same_masks.mean()),
        "largest_difference_of_same_masks": float(
            np.abs(here.proba - there.proba)[same_masks].max()
        ),
    }
    return figures


def memory(size: Size) -> Figures:
    """GiB on the card at the peak of an epoch, by batch size."""
    if not size.on_card:
        return {}
    images, target = photographs(size)
    regions = SuperpixelTransformer(n_segments=100).propose_batch(images)
    figures = {}
    for name, settings in {"32": {}, "bf16": BF16}.items():
        for batch_size in size.batches:
            clf = default_networks(size, batch_size=batch_size, max_epochs=1, **settings)
            torch.cuda.reset_peak_memory_stats()
            some = slice(2 * batch_size)
            clf.fit(images[some], target[some], regions=regions[some])
            figures[f"gib_{name}_batch_{batch_size}"] = (
                torch.cuda.max_memory_allocated() / 2**30
            )
    return figures


def stability(size: Size) -> Figures:
    """Accuracy and last loss of a training in bfloat16, and of one in 32 bits."""
    figures = {}
    for name, settings in {"32": {}, "bf16": BF16}.items():
        clf, images, target = demo_model(size, **settings)
        figures[f"accuracy_{name}"] = float((clf.predict(images) == target).mean())
        losses = np.array(clf.history_[:, "train_loss"])
        figures[f"last_loss_{name}"] = float(losses[-1])
        figures[f"finite_{name}"] = float(np.isfinite(losses).all())
    return figures


def grid_search(size: Size) -> Figures:
    """Seconds of a search of four fits, one after the other over two at a time."""
    scenes = datasets.make_digit_scenes(800 if size.on_card else 80, 64, random_state=0)
    seconds = {}
    for n_jobs in (1, 2):
        clf = P2PClassifier(
            **{**presets.SMALL, "max_epochs": 3, "device": size.device}, random_state=0
        )
        search = GridSearchCV(clf, {"lr": [1e-3, 4e-3]}, cv=2, n_jobs=n_jobs, refit=False)
        start = time.perf_counter()
        search.fit(scenes.images, scenes.target)
        seconds[n_jobs] = time.perf_counter() - start
    return {"grid_search_one_over_two_jobs": seconds[1] / seconds[2]}


def torchrun(size: Size) -> Figures:
    """How far a model that all cards have trained is from that of one process."""
    processes = torch.cuda.device_count() if size.on_card else 2
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "train.py")
        script.write_text(SCRIPT, encoding="utf-8")
        results = []
        for number, start in enumerate(([], launcher)):
            out = Path(folder, f"{number}.npy")
            command = [sys.executable, *start, str(script), str(out), size.device]
            subprocess.run(command, check=True)
            results.append(np.load(out))
    return {
        "torchrun_processes": float(processes),
        "torchrun_largest_difference": float(np.abs(results[0] - results[1]).max()),
    }


PARTS: tuple[Callable[[Size], Figures], ...] = (
    training,
    prediction,
    waiting,
    memory,
    stability,
    grid_search,
    torchrun,
)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--small", action="store_true", help="a small version, on the CPU")
    options.add_argument("--only", nargs="*", help="run these parts alone")
    chosen = options.parse_args()
    size = make_size(chosen.small)
    name = torch.cuda.get_device_name() if size.on_card else "processor"
    figures: Figures = {"device": name}
    failed = []
    for part in PARTS:
        if chosen.only and part.__name__ not in chosen.only:
            continue
        try:
            figures |= part(size)
        except Exception:
            traceback.print_exc()
            failed.append(part.__name__)
            continue
        print(f"-- after {part.__name__}")
        finish(figures, chosen.json)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
