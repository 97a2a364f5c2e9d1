"""Whether P2P's default encodes on photographs, and what its choice of regions is worth.

P2P as ``p2pselect fit`` trains it by default is audited: a judge that learned from random masks
reads the model's regions, and as much of the same photographs in scattered regions, in one
piece and in the middle.  Differences have 95 % bootstrap intervals over images.

    OMP_NUM_THREADS=1 python benchmarks/photograph_audits.py --data data/grocery20 \\
        --weights weights --json benchmarks/results/audit-grocery20.json

About half an hour of CPU time for one set and seed.
"""

from typing import Any

from measuring import Figures, finish, photograph_parser
from photograph_methods import default_settings
from photograph_sets import Part, load_split

from p2pselect import P2PClassifier, audit
from p2pselect.model_selection import Audit

#: What else as much of the image is shown by, read by the judge.
OTHERS = ("scattered", "contiguous", "central")


def audited(
    train: Part, test: Part, settings: dict[str, Any], *, verbose: int = 0, **audit_options: Any
) -> Audit:
    """A model that is trained with these settings, and its audit."""
    clf = P2PClassifier().set_params(**settings, verbose=verbose)
    clf.fit(train.images, train.labels)
    return audit(
        clf,
        train.images,
        train.labels,
        test.images,
        test.labels,
        verbose=verbose,
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
        }
        row |= ends("model - judge", found.gap[:, level])
        for kind in OTHERS if name != "whole" else ():
            row[f"judge: {kind}"] = found.figure(f"judge: {kind}")[0, level]
            worth = found.figure("judge", f"judge: {kind}")[:, level]
            row |= ends(f"judge - {kind}", worth)
        figures |= {f"{name}_{column}": float(value) for column, value in row.items()}
    return figures


def ends(name: str, figure: Any) -> dict[str, float]:
    """The ends of the interval of a difference."""
    return {f"{name}, low": figure[1], f"{name}, high": figure[2]}


def main() -> None:
    options_parser = photograph_parser(__doc__, "folder of one set")
    options_parser.add_argument("--seed", type=int, default=0)
    options = options_parser.parse_args()
    train, test = (load_split(options.data, split) for split in ("train", "test"))
    settings = default_settings(train, options.weights) | {"random_state": options.seed}
    found = audited(
        train, test, settings, groups=test.groups, random_state=options.seed, verbose=1
    )
    print(found)
    finish({"seed": options.seed, **figures_of(found)}, options.json)


if __name__ == "__main__":
    main()
