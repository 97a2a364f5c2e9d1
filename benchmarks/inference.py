"""Prediction against the naive certainty search, and against its two networks alone.

The naive loop runs the selector's backbone once a batch and then, at every tau, pools the
regions and classifies the whole batch anew until every image of it is certain, as the
released code does.  "networks over predict" is the time of one selector pass per image and
one classifier pass per different mask, nothing else, over that of prediction, in batches of
256.  CPU time, interleaved, medians; predictions must be identical.

A demo model on digit scenes, trained first; or, with --data and --model, a model of photographs
with pasted emoji that emoji_scenes.py has saved, on one of their test splits.

    python benchmarks/inference.py --json inference.json
    python benchmarks/inference.py --model saved_model   # skip the training
    python benchmarks/inference.py --data emoji_scenes --model emoji-model
    python benchmarks/inference.py --data emoji_scenes --model emoji-model --split test
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.nn._masking import apply_mask, region_areas, region_mean, to_pixels


@torch.inference_mode()
def predict_naive(clf: P2PClassifier, images: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Probabilities by the loop of the paper, batch by batch."""
    grid = clf._tau_grid("dynamic")
    model, device, proba = clf.module_, clf.device_, []
    for start in range(0, len(images), clf.batch_size):
        rows = slice(start, start + clf.batch_size)
        batch = torch.tensor(images[rows], device=device).permute(0, 3, 1, 2).float() / 255
        labels = torch.tensor(regions[rows], device=device).long()
        areas = region_areas(labels)
        maps = model.selector(batch)
        best = torch.zeros(len(batch), len(clf.classes_), device=device)
        certain = torch.zeros(len(batch), dtype=torch.bool, device=device)
        for tau in grid:
            offset = model.selector.tau_offset(
                torch.full((len(batch),), float(tau), device=device)
            )
            logits = (region_mean(maps, labels, areas) + offset[:, :, None])[:, 0]
            logits = logits.masked_fill(areas == 0, -torch.inf)
            masks = logits > 0
            masks[torch.arange(len(batch), device=device), logits.argmax(dim=1)] = True
            shown = apply_mask(batch, to_pixels(masks.float(), labels))
            out = model.classifier(shown).softmax(dim=1)
            best[~certain] = out[~certain]
            certain |= out.max(dim=1).values >= clf.certainty_threshold
            if certain.all():
                break
        proba.append(best.cpu().numpy())
    return np.concatenate(proba)


@torch.inference_mode()
def networks_alone(clf: P2PClassifier, images: np.ndarray, n_shown: int) -> None:
    """What prediction cannot do without: the passes of the networks, in full batches."""
    pixels = torch.tensor(images).permute(0, 3, 1, 2)
    for network, n in ((clf.module_.selector, len(images)), (clf.module_.classifier, n_shown)):
        for start in range(0, n, clf.batch_size):
            rows = torch.arange(start, min(start + clf.batch_size, n)) % len(images)
            network(pixels[rows].float() / 255)


def demo(model: Path | None) -> tuple[P2PClassifier, np.ndarray]:
    """A model of digit scenes, and images it has not seen."""
    test = datasets.make_digit_scenes(512, image_size=64, split="test", random_state=0)
    if model:
        return P2PClassifier.load(model), test.images
    train = datasets.make_digit_scenes(4000, image_size=64, random_state=0)
    settings = {**presets.SMALL, "max_epochs": 14, "objective__warmup_epochs": 1}
    clf = P2PClassifier().set_params(**settings, random_state=0, verbose=1)
    return clf.fit(train.images, train.target), test.images


def emoji(model: Path, data: Path, split: str) -> tuple[P2PClassifier, np.ndarray]:
    """A model of photographs with pasted emoji, and images it has not seen."""
    clf = P2PClassifier.load(model)
    test = datasets.load_emoji_scenes(data, split)
    return clf, test.images.batch(slice(None), clf.image_size)


def timed(runs: dict[str, Any], repeats: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Median CPU seconds of every run, in turn, and its last result."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    results = {}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            results[name] = run()
            times[name].append(time.process_time() - start)
    return {name: float(np.median(values)) for name, values in times.items()}, results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--model", type=Path, help="a model saved by P2PClassifier.save")
    parser.add_argument("--data", type=Path, help="emoji_scenes, with a --model of them")
    parser.add_argument(
        "--split",
        choices=("test", "test_seen_designs"),
        default="test_seen_designs",
        help="emoji that training has not seen, or has seen on other photographs (default)",
    )
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if options.data and not options.model:
        parser.error("--data needs a --model of these images")
    if options.data:
        clf, images = emoji(options.model, options.data, options.split)
    else:
        clf, images = demo(options.model)
    clf.set_params(batch_size=64)
    regions = clf.regions_.propose_batch(images)

    seen = {"classifier": 0}

    def count(module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        seen["classifier"] += len(inputs[0])

    hook = clf.module_.classifier.register_forward_pre_hook(count)
    exp = clf.explain(images, regions=regions)
    hook.remove()
    visited = ~np.isnan(exp.path_proba[:, :, 0])
    changes = np.diff(exp.path_counts, axis=1, prepend=-1) != 0
    minimum = int((visited & changes).sum())

    runs = {
        "naive": lambda: predict_naive(clf, images, regions),
        "predict_proba": lambda: clf.predict_proba(images, regions=regions),
        "explain": lambda: clf.explain(images, regions=regions),
    }
    took, results = timed(runs, options.repeats)
    difference = np.abs(results["naive"] - results["predict_proba"]).max()
    assert difference < 1e-4, f"the two searches disagree by {difference}"
    clf.set_params(batch_size=256)
    alone = {
        "networks": lambda: networks_alone(clf, images, seen["classifier"]),
        "predict_proba": runs["predict_proba"],
    }
    full, _ = timed(alone, options.repeats)
    figures = {
        "predict_speedup_naive": took["naive"] / took["predict_proba"],
        "calls_over_minimum": seen["classifier"] / minimum,
        "explain_over_predict_proba": took["explain"] / took["predict_proba"],
        "networks_over_predict_256": full["networks"] / full["predict_proba"],
        "classifier_images_per_input": seen["classifier"] / len(images),
    }
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
