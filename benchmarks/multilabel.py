"""One model for several labels, beside a model for each label, and a black box.

Trains on the photographs of coffee leaves (``SET/labels.csv`` with a column of 0 and 1 for each
stress): P2P for all labels at once, with a shared mask and with one for each label; P2P for
each label alone; and the black box for all labels.  All have the same networks and images, and
the settings and epochs that ``presets.suited_to`` chooses for the labels.  Reports the macro F1
on the test split, the CPU seconds of the training, and the share of the pixels that is shown:
means over the seeds, and the F1 of every seed.  Masks for each label are trained with the first
seed alone.

    OMP_NUM_THREADS=1 python benchmarks/multilabel.py --data coffee_leaf --weights weights \\
        --json benchmarks/results/multilabel.json

About an hour of CPU time a seed.  The parts are kept in --out, and the same command goes on
where it was stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Figures, finish, flat, means, photograph_parser
from run_parts import RunParts
from sklearn.metrics import f1_score

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.methods import BlackboxClassifier

LABELS = ["miner", "rust", "phoma", "cercospora"]


def trained(clf: Any, images: Any, y: np.ndarray) -> tuple[Any, float]:
    """The fitted model, and the CPU seconds of its training."""
    start = time.process_time()
    clf.fit(images, y)
    return clf, time.process_time() - start


def scores(truth: np.ndarray, predicted: np.ndarray, seconds: float, kept: float) -> Figures:
    """F1 of every label and their mean, what it cost, and what was shown."""
    of_each = f1_score(truth, predicted, average=None, zero_division=0)
    return {
        "macro F1": float(of_each.mean()),
        **{f"f1 {name}": f1 for name, f1 in zip(LABELS, of_each.tolist(), strict=True)},
        "all labels right": float((truth == predicted).all(axis=1).mean()),
        "cpu_seconds": seconds,
        "kept_fraction": kept,
    }


def all_at_once(clf: Any, train: Any, test: Any) -> Figures:
    """One model of all labels."""
    clf, seconds = trained(clf, train.images, train.labels)
    exp = clf.explain(test.images)
    return scores(test.labels, exp.predicted, seconds, float(exp.kept_fraction.mean()))


def one_label(clf: Any, train: Any, test: Any, label: int) -> Figures:
    """What a model of one label answers, and what it cost."""
    clf, seconds = trained(clf, train.images, train.labels[:, label])
    exp = clf.explain(test.images)
    kept = float(exp.kept_fraction.mean())
    return {"predicted": exp.predicted.tolist(), "cpu_seconds": seconds, "kept_fraction": kept}


def one_by_one(models: list[Figures], test: Any) -> Figures:
    """A model for each label."""
    predicted = np.column_stack([own["predicted"] for own in models])
    seconds = sum(own["cpu_seconds"] for own in models)
    kept = float(np.mean([own["kept_fraction"] for own in models]))
    return scores(test.labels, predicted, seconds, kept)


def some(part: Any, n: int | None) -> Any:
    """Evenly spaced images of a split, or all of them."""
    if n is None:
        return part
    rows = np.unique(np.linspace(0, len(part.labels) - 1, n).round().astype(int))
    part.images, part.labels = part.images[rows], part.labels[rows]
    return part


def rows_of(
    seed: int,
    suited: Callable[[np.ndarray], dict[str, Any]],
    part: RunParts,
    train: Any,
    test: Any,
) -> dict[str, Any]:
    """All models of a seed."""
    settings = {**suited(train.labels), "random_state": seed}
    p2p = P2PClassifier(**settings)
    black = BlackboxClassifier(**presets.settings_for(BlackboxClassifier, settings))
    models = []
    for label, name in enumerate(LABELS):
        own = P2PClassifier(**suited(train.labels[:, label]), random_state=seed)
        models.append(part(f"p2p-{name}-{seed}", one_label, own, train, test, label))
    return {
        "p2p": part(f"p2p-{seed}", all_at_once, p2p, train, test),
        "one_by_one": one_by_one(models, test),
        "blackbox": part(f"blackbox-{seed}", all_at_once, black, train, test),
    }


def main() -> None:
    """Train and score all of them."""
    arguments = photograph_parser(__doc__ or "", "the folder coffee_leaf")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--epochs", type=int, help="instead of those that are chosen")
    arguments.add_argument("--image-size", type=int, help="instead of the one that is chosen")
    arguments.add_argument("--images", type=int, help="of each split, to try it out")
    arguments.add_argument("--out", type=Path, default=Path("multilabel-run"), help="the run")
    options = arguments.parse_args()
    train, test = (
        some(
            datasets.load_image_table(
                options.data / "labels.csv", split, label_column=LABELS, mask_column=None
            ),
            options.images,
        )
        for split in ("train", "test")
    )
    given = {
        "pretrained": options.weights,
        "max_epochs": options.epochs,
        "image_size": options.image_size,
    }
    given = {name: value for name, value in given.items() if value is not None}
    # All images are learned from, and certainty is the classifier's own word.
    suited = partial(presets.suited_to, train.images, device="cpu", validation=None, **given)
    told = ("data", "weights", "epochs", "image_size", "images")
    part = RunParts(options.out, **{name: getattr(options, name) for name in told})
    of_seeds = [rows_of(seed, suited, part, train, test) for seed in options.seeds]
    rows = {row: means([own[row] for own in of_seeds]) for row in of_seeds[0]}
    for row, figures in rows.items():
        figures["macro F1 of seeds"] = [own[row]["macro F1"] for own in of_seeds]
    of_all = suited(train.labels)
    of_masks = P2PClassifier(**of_all, random_state=options.seeds[0])
    of_masks.set_params(networks__label_masks=True)
    rows["label_masks"] = part(
        f"label-masks-{options.seeds[0]}", all_at_once, of_masks, train, test
    )
    known = {
        "seeds": options.seeds,
        "n_images": [len(train.labels), len(test.labels)],
        "epochs": of_all["max_epochs"],
        "epochs of one label": suited(train.labels[:, 0])["max_epochs"],
        "image_size": of_all["image_size"],
    }
    finish(known | flat(rows), options.json)


if __name__ == "__main__":
    main()
