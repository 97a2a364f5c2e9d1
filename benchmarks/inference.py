"""Prediction against the naive certainty search, on a trained demo model.

The naive loop runs the selector's backbone once a batch and then, at every tau, pools the
regions and classifies the whole batch anew until every image of it is certain, as the
released code does.  CPU time, interleaved, medians; predictions must be identical.

    python benchmarks/inference.py --json inference.json
    python benchmarks/inference.py --model saved_model   # skip the training
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.nn.masking import apply_mask
from p2pselect.nn.pooling import region_areas, region_mean, to_pixels
from p2pselect.thresholding import make_tau_grid


@torch.inference_mode()
def predict_naive(clf: P2PClassifier, images: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Probabilities by the loop of the paper, batch by batch."""
    grid = make_tau_grid(clf.tau_min, clf.tau_step)
    model, proba = clf.module_, []
    for start in range(0, len(images), clf.batch_size):
        rows = slice(start, start + clf.batch_size)
        batch = torch.tensor(images[rows]).permute(0, 3, 1, 2).float() / 255
        labels = torch.tensor(regions[rows]).long()
        areas = region_areas(labels)
        maps = model.selector(batch)
        best = torch.zeros(len(batch), len(clf.classes_))
        certain = torch.zeros(len(batch), dtype=torch.bool)
        for tau in grid:
            offset = model.selector.tau_offset(torch.full((len(batch),), float(tau)))
            logits = (region_mean(maps, labels, areas) + offset[:, :, None])[:, 0]
            logits = logits.masked_fill(areas == 0, -torch.inf)
            masks = logits > 0
            masks[torch.arange(len(batch)), logits.argmax(dim=1)] = True
            shown = apply_mask(batch, to_pixels(masks.float(), labels))
            out = model.classifier(shown).softmax(dim=1)
            best[~certain] = out[~certain]
            certain |= out.max(dim=1).values >= clf.certainty_threshold
            if certain.all():
                break
        proba.append(best.numpy())
    return np.concatenate(proba)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--model", type=Path, help="a model saved by P2PClassifier.save")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if options.model:
        clf = P2PClassifier.load(options.model)
    else:
        train = datasets.make_digit_scenes(4000, image_size=64, random_state=0)
        settings = {**presets.SMALL, "max_epochs": 14, "warmup_epochs": 1}
        clf = P2PClassifier(**settings, random_state=0, verbose=1)
        clf.fit(train.images, train.target)
    clf.set_params(batch_size=64)
    test = datasets.make_digit_scenes(512, image_size=64, split="test", random_state=0)
    regions = clf.regions_.propose_batch(test.images)

    seen = {"classifier": 0}

    def count(module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        seen["classifier"] += len(inputs[0])

    hook = clf.module_.classifier.register_forward_pre_hook(count)
    exp = clf.explain(test.images, regions=regions)
    hook.remove()
    visited = ~np.isnan(exp.path_proba[:, :, 0])
    changes = np.diff(exp.path_counts, axis=1, prepend=-1) != 0
    minimum = int((visited & changes).sum())

    runs = {
        "naive": lambda: predict_naive(clf, test.images, regions),
        "predict_proba": lambda: clf.predict_proba(test.images, regions=regions),
        "explain": lambda: clf.explain(test.images, regions=regions),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    results = {}
    for _ in range(options.repeats):
        for name, run in runs.items():
            start = time.process_time()
            results[name] = run()
            times[name].append(time.process_time() - start)
    difference = np.abs(results["naive"] - results["predict_proba"]).max()
    assert difference < 1e-4, f"the two searches disagree by {difference}"
    took = {name: float(np.median(values)) for name, values in times.items()}
    figures = {
        "predict_speedup_naive": took["naive"] / took["predict_proba"],
        "calls_over_minimum": seen["classifier"] / minimum,
        "explain_over_predict_proba": took["explain"] / took["predict_proba"],
        "classifier_images_per_input": seen["classifier"] / len(test.images),
    }
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
