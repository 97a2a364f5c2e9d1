"""Pictures without any digit, shown to models of digits: how many of them are answered.

Trains a small model of digit scenes per seed, and calibrates it on one half of new scenes.  On
the other half, and on as many pieces of the same photographs without a digit:

- what is answered at a certainty of .95, by the classifier's own word;
- how well published scores, of what the search computes anyway, tell the two kinds apart (the
  area under the ROC curve), and what is answered if the images are refused that score lowest,
  2 % of the calibration images;
- the same with ``calibrate(max_unfamiliar=...)``, and with a lower certainty, at which as many
  digits are answered as without.

What ``familiarity`` is was chosen with models of the seeds 0 to 2; these are others.

    OMP_NUM_THREADS=1 python benchmarks/unfamiliar.py --json benchmarks/results/unfamiliar.json

About 2 minutes of CPU time per seed.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from measuring import Figures, parser
from photograph_methods import whole_paths
from provenance import about
from recorded_tables import markdown, table_of
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.atomic_write import write_json
from p2pselect.datasets._digit_scenes import _crop, _grounds
from p2pselect.explanations import Explanation

CERTAINTY, REFUSED = 0.95, 0.02
#: Down to where the same coverage is looked for, and in what steps.
LEAST_CERTAINTY, STEP = 0.8, 0.0025
#: Shares of the calibration images that ``max_unfamiliar`` refuses.
MAX_UNFAMILIAR = (0.02, 0.05)
Scores = dict[str, np.ndarray]


def without_digits(n: int, image_size: int, seed: int) -> np.ndarray:
    """Pieces of the photographs of the test split, without anything on them."""
    rng, grounds = np.random.default_rng(seed), _grounds("test")
    pieces = (_crop(grounds[i % len(grounds)], image_size, rng) for i in range(n))
    return np.stack([(255 * piece).round().astype(np.uint8) for piece in pieces])


def features_of(clf: P2PClassifier, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What enters the last layer of the classifier, and its logits."""
    entering = []
    head = clf.module_.classifier.network.get_classifier()
    hook = head.register_forward_pre_hook(lambda _, inputs: entering.append(inputs[0]))
    logits = []
    with torch.inference_mode():
        for batch in np.array_split(images, len(images) // 100 + 1):
            shown = torch.from_numpy(batch).permute(0, 3, 1, 2) / 255
            logits.append(clf.module_(shown).numpy())
    hook.remove()
    return torch.cat(entering).numpy(), np.concatenate(logits)


def distances(known: np.ndarray, labels: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of Mahalanobis, to the nearest class, without and with that to all classes subtracted."""
    classes = np.unique(labels)
    centers = np.stack([known[labels == c].mean(axis=0) for c in classes])
    within = LedoitWolf().fit(known - centers[np.searchsorted(classes, labels)])
    nearest = np.min([within.mahalanobis(new - center) for center in centers], axis=0)
    overall = LedoitWolf().fit(known)
    return nearest, nearest - overall.mahalanobis(new)


def scores(
    clf: P2PClassifier, exp: Explanation, reference: tuple[np.ndarray, np.ndarray]
) -> Scores:
    """Scores of images: the higher, the more they are like those of the reference."""
    known, labels = reference
    features, logits = features_of(clf, exp.masked_images)
    nearest, relative = distances(known, labels, features)

    def unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    neighbors = NearestNeighbors(n_neighbors=5).fit(unit(known))
    return {
        "largest_probability": exp.certainty,
        "largest_logit": logits.max(axis=1),
        "energy": logsumexp(logits, axis=1),
        "mahalanobis": -nearest,
        "relative_mahalanobis": -relative,
        "5th_neighbor": -neighbors.kneighbors(unit(features))[0][:, -1],
        "kept_area": -exp.kept_fraction,
        "familiarity": exp.familiarity,
    }


def of_seed(seed: int, n: int, epochs: int, run: Path | None) -> Iterator[tuple[str, Figures]]:
    """The rows of one model."""
    train = datasets.make_digit_scenes(2 * n, random_state=seed)
    settings = {"validation": None, "random_state": seed, "max_epochs": epochs}
    clf = P2PClassifier(**presets.SMALL | settings).set_params(certainty_threshold=CERTAINTY)
    clf.fit(train.images, train.target)
    scenes = datasets.make_digit_scenes(n, split="test", random_state=seed)
    half = n // 2
    own, own_y = scenes.images[:half], scenes.target[:half]
    digits, y = scenes.images[half:], scenes.target[half:]
    empty = without_digits(len(digits), clf.image_size, seed)

    exps = [clf.explain(images) for images in (own, digits, empty)]
    reference = features_of(clf, exps[0].masked_images)[0][: half // 2], own_y[: half // 2]
    yield "certainty_alone", answered(exps[1], exps[2], y)
    of_own, of_digits, of_empty = (scores(clf, exp, reference) for exp in exps)
    for name, known in of_own.items():
        lowest = np.quantile(known[half // 2 :], REFUSED)
        passes = [of_digits[name] >= lowest, of_empty[name] >= lowest]
        truth = np.repeat([1, 0], [len(digits), len(empty)])
        area = roc_auc_score(truth, np.concatenate([of_digits[name], of_empty[name]]))
        yield name, {"AUROC": float(area), **answered(exps[1], exps[2], y, *passes)}

    def calibrated(certainty: float) -> Figures:
        asked = {"certainty_threshold": certainty}
        return answered(clf.explain(digits, **asked), clf.explain(empty, **asked), y)

    clf.calibrate(own, own_y)
    plain = calibrated(CERTAINTY)
    yield "calibrated", plain
    for share in MAX_UNFAMILIAR:
        clf.calibrate(own, own_y, max_unfamiliar=share)
        found = calibrated(CERTAINTY)
        yield f"refusing_{share:.0%}", found
        certainty = CERTAINTY
        while (
            found["digits answered"] < plain["digits answered"] and certainty > LEAST_CERTAINTY
        ):
            certainty -= STEP
            found = calibrated(certainty)
        yield f"same_coverage_{share:.0%}", found
    if run:
        clf.calibrate(own, own_y)  # nothing is unfamiliar
        path = clf.explain(digits, certainty_threshold=1.0, whole_path=True)
        record = {"cell": {"set": "digits", "seed": seed}}
        record["paths"] = {"test": whole_paths(path, y)}
        write_json(run / f"digits-{seed}.json", record)


def answered(
    digits: Explanation,
    empty: Explanation,
    y: np.ndarray,
    digits_pass: np.ndarray | bool = True,
    empty_pass: np.ndarray | bool = True,
) -> Figures:
    """Shares that are answered of both kinds, and the accuracy of the answers."""
    given = digits.answered & digits_pass
    return {
        "digits answered": float(given.mean()),
        "accuracy": float((digits.predicted == y)[given].mean()) if given.any() else None,
        "others answered": float((empty.answered & empty_pass).mean()),
    }


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--seeds", type=int, nargs="+", default=[3, 4, 5])
    options_parser.add_argument("--images", type=int, default=1000, help="half of the training")
    options_parser.add_argument("--epochs", type=int, default=11)
    options_parser.add_argument("--run", type=Path, help="write paths for certainty.py here")
    options = options_parser.parse_args()
    figures: Figures = {}
    rows: dict[str, list[Figures]] = {}
    for seed in options.seeds:
        for name, found in of_seed(seed, options.images, options.epochs, options.run):
            rows.setdefault(name, []).append(found)
    for name, of_seeds in rows.items():
        for column in of_seeds[0]:
            values = [found[column] for found in of_seeds if found[column] is not None]
            figures[f"{name}_{column}"] = float(np.mean(values)) if values else None
            if column == "others answered":
                figures[f"{name}_{column}, most"] = float(np.max(values))
    print(markdown(table_of({"": figures}, [*rows])))
    if options.json:
        write_json(options.json, {"about": about(), "seeds": len(options.seeds), **figures})


if __name__ == "__main__":
    main()
