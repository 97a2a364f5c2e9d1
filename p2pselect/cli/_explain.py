"""Show what a model looked at: an HTML report, figures, masks, COCO annotations.

examples:
  p2pselect explain leaves.model photos/ --html report.html
  p2pselect explain leaves.model photos/ --overlays overlays/ --masks masks/
  p2pselect explain leaves.model photos/ --coco kept.json
  p2pselect explain leaves.model leaves/test --html test.html --certainty .9
  p2pselect explain leaves.model --table leaves/labels.csv --html test.html
  p2pselect explain leaves.model photos/ --html why-rust.html --target rust
"""

from __future__ import annotations

import argparse
import json
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pselect._optional import need
from p2pselect.atomic_write import atomic_open, write_json
from p2pselect.cli._answers import answers_in_words, label_cells
from p2pselect.cli._arguments import add_shared, check_outputs
from p2pselect.cli._outputs import check_apart, output_files, write_png
from p2pselect.cli._tables import add_table, rows_of
from p2pselect.exceptions import InputError

if TYPE_CHECKING:
    import numpy as np

    from p2pselect import Explanation

#: What a row of the JSON calls the file that an option wrote.
_ROWS = {"--png": "figure", "--overlays": "overlay", "--masks": "mask"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect explain``."""
    add_shared(parser, "model", "images")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one interactive page")
    parser.add_argument("--png", type=Path, metavar="DIR", help="write a figure for each image")
    parser.add_argument(
        "--overlays",
        type=Path,
        metavar="DIR",
        help="write each photograph at its own size, dimmed where nothing is kept",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="write a mask for each image, of the size of the upright photograph, white where "
        "pixels are kept",
    )
    parser.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help="with --html: draw how the training went, which fit --json has written",
    )
    parser.add_argument(
        "--coco",
        type=Path,
        metavar="FILE",
        help="write outlines and bounding boxes of what is kept, in COCO's JSON format",
    )
    parser.add_argument(
        "--target",
        metavar="LABEL",
        help="where images have several labels: show what suffices to decide about this one",
    )
    add_shared(parser, "--json", help="write the numbers of each image")
    add_shared(parser, "--certainty", "--on-error", "--max-pixels")
    add_table(parser, "images", usual="test")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect explain`` says."""
    folders = {option: getattr(options, option[2:]) for option in _ROWS}
    single = {f"--{name}": getattr(options, name) for name in ("html", "coco", "json")}
    if not any((folders | single).values()):
        raise InputError(
            f"say what to write: {' DIR, '.join(folders)} DIR, {' FILE, '.join(single)} FILE"
        )
    if options.history and not options.html:
        raise InputError("--history is drawn on the page: --html FILE says where to write it")
    check_outputs(options, files=[*single], folders=[*folders])
    places = rows_of(options, "images", usual="test") or options.images
    if options.png:
        need("matplotlib", "--png", "p2pselect[plots]")
    from p2pselect.cli._files import find_images, known_rows, load_model

    history = None if options.history is None else read_history(options.history)
    model = load_model(options.model, options.certainty)
    places = known_rows(model, places)
    images, files, stated = find_images(places, options.on_error, **model._meaning(fitted=True))
    written = {
        option: output_files(folder, files, options.images or files)
        for option, folder in folders.items()
        if folder
    }
    read = files if options.history is None else [*files, str(options.history)]
    check_apart({option: [file] for option, file in single.items() if file} | written, read)
    known = {str(label): label for label in model.classes_.tolist()}
    exp = model.explain(images, target=known.get(options.target, options.target))
    labels = true_labels_of(model, files, stated)
    if options.html:
        exp.to_html(options.html, y=labels, names=short_names(files), history=history)
        print(f"{options.html} ({options.html.stat().st_size / 1e6:.1f} MB)")
    for option, paths in written.items():
        for number, file in enumerate(paths):
            _WRITERS[option](file, exp[number])
        print(f"{len(files)} {_ROWS[option]}s in {folders[option]}")
    if options.coco:
        data = exp.to_coco(short_names(files))
        write_json(options.coco, data, indent=None)
        print(f"{len(data['annotations'])} outlines in {options.coco}")
    if options.json:
        write_json(options.json, _rows(exp, files, labels, written))
    right = None if labels is None else exp._right(labels)
    print(f"{len(files)} images: {answers_in_words(exp.answered, exp.kept_fraction, right)}")


def read_history(file: Path) -> list[dict[str, Any]]:
    """What ``p2pselect fit --json`` has written: one dict for each epoch."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"--history: {file} is not JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"--history: {file} is not a list of epochs, as fit --json writes it")
    return rows


def short_names(files: Sequence[str]) -> list[str]:
    """The paths of the images, without the folders that all of them share."""
    whole = [os.path.abspath(file) for file in files]  # noqa: PTH100 (links stay as they are)
    shared = os.path.commonpath([os.path.dirname(path) for path in whole])  # noqa: PTH120
    return [os.path.relpath(path, shared) for path in whole]


def true_labels_of(
    model: Any, files: Sequence[str], stated: np.ndarray | None = None
) -> np.ndarray | None:
    """The true labels, if they are known; several for each image only from a table."""
    if model.multilabel_:
        return stated if stated is not None and stated.ndim == 2 else None
    return labels_of(files, model.classes_, stated)


def labels_of(
    files: Sequence[str], classes: np.ndarray, stated: np.ndarray | None = None
) -> np.ndarray | None:
    """The true labels (n,), if what is stated about every image, or its folder, is a class."""
    place = {unicodedata.normalize("NFC", str(name)): i for i, name in enumerate(classes)}
    if stated is None:
        # Absolute paths, because "1.jpg" may have been named from within its folder.
        known = [Path(os.path.abspath(file)).parent.name for file in files]  # noqa: PTH100
    else:
        known = stated.tolist()
    names = [unicodedata.normalize("NFC", name) for name in known]
    return classes[[place[name] for name in names]] if place.keys() >= {*names} else None


def write_figure(file: Path, exp: Explanation) -> None:
    """Write the panels of one image, with the aspect ratio of the image."""
    with atomic_open(file, "wb") as opened:
        exp.plot().savefig(opened, format="png", dpi=110)


def write_mask(file: Path, exp: Explanation) -> None:
    """Write what was kept of one image, in the size of the image."""
    (mask,) = exp.masks_at_original_size()
    write_png(file, mask.astype("uint8") * 255)


def write_overlay(file: Path, exp: Explanation) -> None:
    """Write the photograph of one image, dimmed where nothing is kept."""
    write_png(file, exp.overlay())


_WRITERS = {"--png": write_figure, "--overlays": write_overlay, "--masks": write_mask}


def _rows(
    exp: Explanation,
    files: Sequence[str],
    labels: np.ndarray | None,
    written: dict[str, list[Path]],
) -> list[dict[str, Any]]:
    kept, reasons = exp.kept_fraction, exp.unanswered_reasons
    predicted = _cells(exp, exp.predicted)
    true = None if labels is None else _cells(exp, labels)
    return [
        {
            "image": file,
            "prediction": predicted[i],
            **({} if true is None else {"label": true[i]}),
            "certainty": float(exp.certainty[i]),
            "answered": bool(exp.answered[i]),
            "unanswered_reasons": reasons[i],
            "tau": float(exp.tau[i]),
            "kept_fraction": float(kept[i]),
            **{_ROWS[option]: str(paths[i]) for option, paths in written.items()},
        }
        for i, file in enumerate(files)
    ]


def _cells(exp: Explanation, labels: np.ndarray) -> list[Any]:
    """Labels as cells; those that an explanation for one target leaves open are left out."""
    if exp.target is not None:
        labels = labels * (exp.classes == exp.target)
    return label_cells(labels, exp.classes)
