"""Whether an audit shows a shortcut: coffee leaves whose background tells the diagnosis.

The colors of the four corners of a photograph, where there is no leaf, tell much of the
diagnosis to a logistic regression.  The audit gets the leaves as objects, and says how much of
what a model shows lies outside of them, beside random regions and as much in the middle.  The
models are P2P as ``p2pselect fit`` trains it by default, and the same in a few epochs.

    OMP_NUM_THREADS=1 python benchmarks/coffee_corners.py --data data/coffee_leaf \\
        --weights weights --json benchmarks/results/coffee_corners.json

About half an hour of CPU time.
"""

import numpy as np
from measuring import Figures, finish, photograph_parser
from photograph_audits import audited
from photograph_methods import default_settings
from photograph_sets import Part, load_split
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from p2pselect import P2PClassifier, datasets
from p2pselect.model_selection import Audit

#: Side of a corner, as a share of the shorter side of the photograph.
CORNER = 1 / 8
FEW_EPOCHS = 4


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


def figures_of(name: str, found: Audit) -> Figures:
    """What the audit says at the model's own stop."""
    stop, whole = -2, -1
    rows = {
        "accuracy": ("model", stop),
        "judge accuracy": ("judge", stop),
        "kept": ("kept", stop),
        "outside": ("shown outside", stop),
        "outside, in the middle": ("shown outside: central", stop),
        "outside, at random": ("shown outside", whole),
        "images mostly outside": ("outside", stop),
    }
    figures: Figures = {}
    for column, (row, level) in rows.items():
        mean, low, high = found.figure(row)[:, level]
        figures[f"{name}_{column}"] = float(mean)
        if column == "outside":
            figures |= {
                f"{name}_outside, low": float(low),
                f"{name}_outside, high": float(high),
            }
    with_leaf = ~np.isnan(found.values["shown outside"][:, whole])
    return figures | {f"{name}_leaves": int(with_leaf.sum()), f"{name}_verdict": found.verdict}


def main() -> None:
    options_parser = photograph_parser(__doc__, "the coffee leaves")
    options_parser.add_argument("--masks", default="leaf_masks", help="the kind of masks")
    options_parser.add_argument("--seed", type=int, default=0)
    options = options_parser.parse_args()
    train, test = (load_split(options.data, split) for split in ("train", "test"))
    shares = np.unique(test.labels, return_counts=True)[1] / len(test)
    figures: Figures = {
        "corners_accuracy": corner_accuracy(train, test),
        "constant_accuracy": float(shares.max()),
    }
    settings = default_settings(train, options.weights) | {"random_state": options.seed}
    grid = P2PClassifier().set_params(**settings)
    masks = datasets.load_mask_folder(
        test.root / options.masks,
        test.images,
        grid.image_size,
        resize=grid.resize,
        missing="skip",
    )
    judge = None
    for name, changes in (("default", {}), ("few_epochs", {"max_epochs": FEW_EPOCHS})):
        found = audited(train, test, settings | changes, masks=masks, judge=judge)
        # Both have the same network, regions and images.
        judge = found.judge
        print(name, found, sep="\n", flush=True)
        figures |= figures_of(name, found)
    finish(figures, options.json)


if __name__ == "__main__":
    main()
