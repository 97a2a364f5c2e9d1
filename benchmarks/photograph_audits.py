"""Whether P2P's default encodes on photographs, what its regions are worth, and its shortcuts.

P2P as ``p2pselect fit`` trains it by default is audited: a judge that learned from random masks
reads the model's regions, and as much of the same photographs in scattered regions, in one
piece and in the middle.  With masks of the objects, it also reads those, and how much of what
the model shows lies outside of them is counted.  Beside that stands what the colors of the
photographs' corners, where there seldom is an object, tell of the label.  Differences have 95 %
bootstrap intervals over images.

    OMP_NUM_THREADS=1 python benchmarks/photograph_audits.py --data data/coffee_leaf \\
        --masks leaf_masks --weights weights --json benchmarks/results/audit-coffee_leaf.json

About an hour of CPU time for one set and seed, most of it for the judge.
"""

from typing import Any

import numpy as np
from measuring import Figures, finish, photograph_parser
from photograph_methods import default_settings
from photograph_sets import Part, load_split
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from p2pselect import P2PClassifier, audit, datasets
from p2pselect.model_selection import Audit

#: What else as much of the image is shown by, read by the judge.
OTHERS = ("scattered", "contiguous", "central")
#: Side of a corner, as a share of the shorter side of the photograph.
CORNER = 1 / 8


def corner_colors(part: Part) -> np.ndarray:
    """Mean colors of the four corners of every photograph, (n, 12) in [0, 1]."""
    found = []
    for image in part.images:
        side = max(1, round(CORNER * min(image.shape[:2])))
        top, bottom = image[:side], image[-side:]
        corners = [half[:, s] for half in (top, bottom) for s in np.s_[:side, -side:]]
        found.append(np.concatenate([c.mean(axis=(0, 1)) for c in corners]) / 255)
    return np.stack(found)


def corner_accuracy(train: Part, test: Part) -> float:
    """Share of the test images that the colors of their corners answer right."""
    model = GridSearchCV(LogisticRegression(max_iter=2000), {"C": (1, 10, 100, 1000)})
    model.fit(corner_colors(train), train.labels)
    return float(model.score(corner_colors(test), test.labels))


def audited(
    train: Part, test: Part, settings: dict[str, Any], masks: str | None, **audit_options: Any
) -> Audit:
    """The audit of a model that is trained with these settings; with masks of this kind."""
    clf = P2PClassifier().set_params(**settings).fit(train.images, train.labels)
    objects = masks and datasets.load_mask_folder(
        test.root / masks, test.images, clf.image_size, resize=clf.resize, missing="skip"
    )
    return audit(
        clf,
        train.images,
        train.labels,
        test.images,
        test.labels,
        masks=objects,
        groups=test.groups,
        **audit_options,
    )


def figures_of(found: Audit) -> Figures:
    """A row for every area, one for the model's own stop, and one for whole images."""
    figures: Figures = {"verdict": found.verdict}
    for level, name in enumerate(found.names):
        row = {
            "kept": found.figure("kept")[0, level],
            "model": found.model_accuracy[level],
            "judge": found.judge_accuracy[level],
            "outline": found.figure("outline")[0, level],
        }
        row |= ends("model - judge", found.gap[:, level])
        for kind in OTHERS if name != "whole" else ():
            row[f"judge: {kind}"] = found.figure(f"judge: {kind}")[0, level]
            worth = found.figure("judge", f"judge: {kind}")[:, level]
            row |= ends(f"judge - {kind}", worth)
        if "judge: objects" in found.values:
            row |= object_figures(found, level)
        known = {column: value for column, value in row.items() if not np.isnan(value)}
        figures |= {f"{name}_{column}": float(value) for column, value in known.items()}
    return figures


def object_figures(found: Audit, level: int) -> dict[str, float]:
    """What the masks of the objects tell of one level."""
    outside = found.figure("shown outside")[:, level]
    return {
        "judge: objects": found.figure("judge: objects")[0, level],
        "outside": outside[0],
        **ends("outside", outside),
        "outside: central": found.figure("shown outside: central")[0, level],
        "images mostly outside": found.figure("outside")[0, level],
    }


def ends(name: str, figure: Any) -> dict[str, float]:
    """The ends of an interval."""
    return {f"{name}, low": figure[1], f"{name}, high": figure[2]}


def main() -> None:
    options_parser = photograph_parser(__doc__, "folder of one set")
    options_parser.add_argument(
        "--masks", help="a kind of masks of the set, such as leaf_masks"
    )
    options_parser.add_argument("--test", default="test", help="the split to audit on")
    options_parser.add_argument("--seed", type=int, default=0)
    options = options_parser.parse_args()
    train, test = (load_split(options.data, split) for split in ("train", options.test))
    shares = np.unique(test.labels, return_counts=True)[1] / len(test)
    figures: Figures = {
        "seed": options.seed,
        "corners_accuracy": corner_accuracy(train, test),
        "constant_accuracy": float(shares.max()),
    }
    settings = default_settings(train, options.weights) | {"random_state": options.seed}
    found = audited(train, test, settings, options.masks, random_state=options.seed, verbose=1)
    print(found)
    finish(figures | figures_of(found), options.json)


if __name__ == "__main__":
    main()
