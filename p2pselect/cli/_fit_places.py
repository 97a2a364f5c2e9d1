"""Where ``p2pselect fit`` puts a model and its page."""

from __future__ import annotations

import argparse
from pathlib import Path

from p2pselect.atomic_write import check_replaceable, is_empty_folder
from p2pselect.cli._arguments import check_outputs
from p2pselect.exceptions import InputError

#: Folders with such a name say nothing about what is in them.
_SPLITS = {"train", "training", "images", "photos", "data"}


def check_places(options: argparse.Namespace) -> tuple[Path, Path]:
    """Where the model and the page will be, which nothing prevents from being written."""
    from p2pselect._model_folder import FILES

    out = options.out or default_out(options.folder or options.table.parent)
    html = options.html or out.with_name(f"{out.name.removesuffix('.model')}.html")
    if isinstance(options.validation, Path) and not options.validation.is_dir():
        raise InputError(
            f"--validation: there is no folder {options.validation}; expected a share such as "
            "0.2, a folder, auto or none"
        )
    check_replaceable(out, FILES, "a saved model", "--out")
    if out.exists() and not is_empty_folder(out) and not options.overwrite:
        raise InputError(
            f"--out: {out} already holds a model; --overwrite replaces it once the new one is "
            "trained, and --out MODEL puts the new one elsewhere"
        )
    if html.exists() and not (options.html or options.overwrite):
        # Nobody has named it, so nobody expects it to be replaced.
        raise InputError(
            f"--html: {html} exists; --overwrite replaces it, and --html FILE puts the page "
            "elsewhere"
        )
    options.html = html
    check_outputs(options, files=["--json", "--html"], folders=["--checkpoints"])
    if options.backbone and (options.selector or options.classifier):
        raise InputError(
            "--backbone names both networks: leave it out, or --selector and --classifier"
        )
    return out, html


def default_out(folder: Path) -> Path:
    """In the working folder, named after the photographs: ``leaves.model``."""
    place = folder.resolve()
    if place.name.lower() in _SPLITS and place.parent.name:
        place = place.parent
    return Path(f"{place.name}.model")
