"""Prediction versus the naive certainty search, and versus its two networks alone.

The naive loop runs the selector's backbone once per batch.  Then, at every tau, it pools the
regions and classifies the whole batch again until every image in it is certain, as the released
code does.  "networks over predict" is the time of one selector pass per image and one
classifier pass per different mask, and of nothing else, over that of prediction, in batches of
256.  CPU time, interleaved, medians; the predictions must be identical.

The model is a demo on digit scenes, trained first; or, with --data and --model, a model of
photographs with pasted emoji that emoji_scenes.py has saved, on one of their test splits.

    python benchmarks/inference.py --json inference.json
    python benchmarks/inference.py --model saved_model   # skip the training
    python benchmarks/inference.py --data emoji_scenes --model emoji-model
    python benchmarks/inference.py --data emoji_scenes --model emoji-model --split test
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measuring import Figures, finish, interleaved, medians, parser

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.nn._masking import apply_mask, region_areas, region_mean, to_pixels

Runs = dict[str, Callable[[], np.ndarray]]


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


def demo_model() -> P2PClassifier:
    """A model of digit scenes."""
    train = datasets.make_digit_scenes(4000, image_size=64, random_state=0)
    settings = {**presets.SMALL, "max_epochs": 14, "objective__warmup_epochs": 1}
    clf = P2PClassifier().set_params(**settings, random_state=0)
    return clf.fit(train.images, train.target)


def demo_images(n: int = 512) -> np.ndarray:
    """Digit scenes that the model has not seen."""
    return datasets.make_digit_scenes(n, image_size=64, split="test", random_state=0).images


def search_runs(clf: P2PClassifier, images: np.ndarray, regions: np.ndarray) -> Runs:
    """The naive search and ours, which must agree: both show everything in the end."""
    clf.set_params(search__fallback="everything")
    runs: Runs = {
        "naive": lambda: predict_naive(clf, images, regions),
        "predict_proba": lambda: clf.predict_proba(images, regions=regions),
    }
    difference = np.abs(runs["naive"]() - runs["predict_proba"]()).max()
    assert difference < 1e-4, f"the two searches disagree by {difference}"
    return runs


def count_passes(
    clf: P2PClassifier, images: np.ndarray, regions: np.ndarray
) -> tuple[int, int]:
    """Number of images classified by the search, and of different masks it has to look at."""
    sizes = []
    hook = clf.module_.classifier.register_forward_pre_hook(
        lambda module, inputs: sizes.append(len(inputs[0]))
    )
    exp = clf.explain(images, regions=regions)
    hook.remove()
    visited = ~np.isnan(exp.path_proba[:, :, 0])
    changes = np.diff(exp.path_counts, axis=1, prepend=-1) != 0
    return sum(sizes), int((visited & changes).sum())


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--model", type=Path, help="saved by P2PClassifier.save")
    options_parser.add_argument("--data", type=Path, help="emoji_scenes, with a --model")
    options_parser.add_argument(
        "--split",
        choices=("test", "test_seen_designs"),
        default="test_seen_designs",
        help="emoji that training has not seen, or has seen on other photographs (default)",
    )
    options_parser.add_argument("--repeats", type=int, default=5)
    options = options_parser.parse_args()
    if options.data and not options.model:
        options_parser.error("--data needs a --model of these images")
    clf = P2PClassifier.load(options.model) if options.model else demo_model()
    if options.data:
        test = datasets.load_emoji_scenes(options.data, options.split)
        images = test.images.batch(slice(None), clf.image_size)
    else:
        images = demo_images()
    clf.set_params(batch_size=64)
    regions = clf.regions_.propose_batch(images)
    n_classified, n_masks = count_passes(clf, images, regions)
    runs = search_runs(clf, images, regions)
    runs["explain"] = lambda: clf.explain(images, regions=regions)
    search = medians(interleaved(runs, options.repeats))
    clf.set_params(batch_size=256)
    runs = {
        "networks": lambda: networks_alone(clf, images, n_classified),
        "predict_proba": runs["predict_proba"],
    }
    full = medians(interleaved(runs, options.repeats))
    figures: Figures = {
        "predict_speedup_naive": search["naive"] / search["predict_proba"],
        "calls_over_minimum": n_classified / n_masks,
        "explain_over_predict_proba": search["explain"] / search["predict_proba"],
        "networks_over_predict_256": full["networks"] / full["predict_proba"],
        "classifier_images_per_input": n_classified / len(images),
    }
    finish(figures, options.json)


if __name__ == "__main__":
    main()
