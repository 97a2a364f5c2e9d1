"""Show what other certainties would give on labeled images, and calibrate a model.

The images must not be those of the training.  Nothing is trained.

examples:
  p2pselect tune leaves.model leaves/valid --figure certainty.png
  p2pselect tune leaves.model leaves/valid --calibrate
  p2pselect tune leaves.model leaves/valid --calibrate --max-error 0.05
  p2pselect tune leaves.model --table leaves/labels.csv
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from p2pselect.atomic_write import write_json
from p2pselect.cli._arguments import add_shared, check_outputs, positive_share
from p2pselect.cli._tables import add_table, rows_of
from p2pselect.exceptions import InputError

if TYPE_CHECKING:
    from p2pselect.metrics import ThresholdCurve

#: The rows that are printed; the figure has more.
_SHOWN = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
_COLUMNS = ("certainty", "answered", "right", "kept", "right of all", "kept of all")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect tune``."""
    add_shared(parser, "model", "folder")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="change MODEL: from now on certainty is the share of right answers among those "
        "that are given, as found on these images",
    )
    parser.add_argument(
        "--max-error",
        type=positive_share,
        metavar="E",
        help="with --calibrate: answer only as long as at most this share of the answers is "
        "wrong",
    )
    parser.add_argument(
        "--alpha",
        type=positive_share,
        default=0.1,
        metavar="A",
        help="with --max-error: probability with which it may be exceeded (default: 0.1)",
    )
    parser.add_argument(
        "--per-class",
        action="store_true",
        help="with --max-error: keep it among the answers that name a class, for every class; "
        "classes for which these images do not show it are not answered",
    )
    parser.add_argument(
        "--set-error",
        type=positive_share,
        metavar="E",
        help="with --calibrate: also learn prediction sets, from which the true class is "
        "missing with at most this probability",
    )
    parser.add_argument(
        "--max-unfamiliar",
        type=positive_share,
        metavar="S",
        help="with --calibrate: do not answer images in which nothing looks like what was "
        "learned, at the price of at most this share of images like these",
    )
    add_shared(parser, "--figure", "--json", "--on-error", "--max-pixels")
    add_table(parser, "folder", usual="validation")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect tune`` says."""
    check_outputs(options, files=["--json", "--figure"])
    place = rows_of(options, "folder", usual="validation") or options.folder
    how = {"--max-error": options.max_error, "--set-error": options.set_error}
    how["--max-unfamiliar"] = options.max_unfamiliar
    for name, value in how.items():
        if value is not None and not options.calibrate:
            raise InputError(f"{name} says how to calibrate: pass --calibrate too")
    for name, value in {**how, "--alpha": options.alpha}.items():
        if value == 1:
            raise InputError(f"{name} must be below 1")
    if options.per_class and options.max_error is None:
        raise InputError("--per-class says for what an error is bounded: pass --max-error too")
    from p2pselect.cli._files import labeled_for, load_model
    from p2pselect.explanations import ThresholdDisplay
    from p2pselect.metrics import threshold_curve

    model = load_model(options.model, None)
    found, truth = labeled_for(model, place, options.on_error, other_classes=True)
    images = found.images
    exp = model.explain(images, whole_path=True)
    fallback = model.get_params().get("search__fallback", "everything")
    curve = threshold_curve(exp, truth, _SHOWN, fallback=fallback)
    print(f"{len(truth)} images.  What the classifier's own certainty is worth:")
    _print(curve)
    if options.figure:
        display: Any = ThresholdDisplay.from_explanation(exp, truth, fallback=fallback)
        display.figure_.savefig(options.figure, dpi=150, bbox_inches="tight")
    if options.json:
        names = ("answered", "right", "right_of_all", "kept", "kept_of_all")
        columns: dict[str, Any] = {"certainty": curve[0].tolist()}
        for name, values in zip(names, curve[1:], strict=True):
            # JSON has no NaN.
            columns[name] = [None if value != value else float(value) for value in values]
        write_json(options.json, columns, indent=2)
    if options.calibrate:
        model.calibrate(
            images,
            truth,
            max_error=options.max_error,
            alpha=options.alpha,
            per_class=options.per_class,
            set_error=options.set_error,
            max_unfamiliar=options.max_unfamiliar,
        )
        model.save(options.model)
        _say_what_is_asked(model, options)


def _print(curve: ThresholdCurve) -> None:
    print("".join(f"{name:>13s}" for name in _COLUMNS))
    rows = zip(
        curve.certainty_threshold,
        curve.coverage,
        curve.selective_accuracy,
        curve.answered_kept_fraction,
        curve.accuracy,
        curve.kept_fraction,
        strict=True,
    )
    for threshold, *shares in rows:
        cells = "".join("            -" if s != s else f"{s:13.1%}" for s in shares)
        print(f"{threshold:13g}{cells}")


def _say_what_is_asked(model: Any, options: argparse.Namespace) -> None:
    calibration = model.calibration_
    if options.max_error is not None:
        asked = (
            f"at most {options.max_error:.1%} of the answers wrong (but for a probability of "
            f"{options.alpha:g})"
        )
        threshold = calibration.bound
    else:
        asked = f"{model.certainty_threshold:.1%} of the answers right"
        threshold = calibration.threshold(model.certainty_threshold)
    answered, right = calibration.answers(threshold)
    print(f"calibrated {options.model}: {asked}")
    if not answered:
        print("no image was answered that surely: nothing will be; ask for less (--certainty)")
        return
    if calibration.answered_classes is None:
        which = "answered"
    else:
        names = model.classes_[calibration.answered_classes].tolist()
        which = f"certain enough (and answered as {', '.join(map(str, names))})"
    print(
        f"here {answered} of {len(calibration)} images are {which}, {right} of them correctly"
    )
