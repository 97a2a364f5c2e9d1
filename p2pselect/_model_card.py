"""What a saved model says about itself: as a dict, in words, and as the model card beside it.

The card is a ``README.md`` in the form that the Hugging Face hub reads.  Nothing is ever read
from it: the facts are those of the config.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from platform import python_version
from typing import Any

from p2pselect._model_folder import TRANSFORMER, decode
from p2pselect.exceptions import InputError, brief

#: The part of the card that every save writes; all that is around it belongs to the user.
BEGIN = "<!-- p2pselect writes what follows, at every save. Write your own text above. -->"
END = "<!-- Here ends what p2pselect writes. Write your own text below. -->"
_HEADER = """\
---
library_name: p2pselect
pipeline_tag: image-classification
tags:
- image-classification
- interpretability
# license: yours to choose, for example apache-2.0
---

# Image classifier that shows what it sees

"""
#: A table of more classes would hide everything else; the config has all of them.
_MOST_ROWS = 50


def circumstances() -> dict[str, Any]:
    """Today's date, and the versions that a model is made with."""
    versions = {"python": python_version()}
    for name in ("p2pselect", "torch", "timm", "scikit-learn", "numpy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # a checkout that is not installed
            versions[name] = "unknown"
    return {"date": datetime.now(UTC).date().isoformat(), "versions": versions}


def findings(audit: Any) -> dict[str, Any]:
    """What an audit of the model has found, as a dict."""
    if not hasattr(audit, "to_dict") or not hasattr(audit, "verdict"):
        raise InputError(f"audit must be what p2pselect.audit returns, got {brief(audit)}")
    return audit.to_dict()


def facts(config: dict[str, Any]) -> dict[str, Any]:
    """What a config tells to people; see :func:`p2pselect.persistence.describe`."""
    params, fitted = config["params"], config["fitted"]
    size = decode(params["image_size"])
    if isinstance(size, tuple | list):
        height, width = map(int, size)
        size = (height, width) if height != width else height
    regions = params["regions"]
    if isinstance(regions, dict) and set(regions) == {TRANSFORMER}:
        named = sorted(regions[TRANSFORMER].items())
        regions = f"{TRANSFORMER}({', '.join(f'{k}={brief(decode(v))}' for k, v in named)})"
    classes = [str(label) for label in config["classes"]["values"]]
    counts = fitted["class_counts_"]
    # Methods without it show whole images.
    tau = decode(params["tau"]) if "tau" in params else 1.0
    return {
        "class": config["class"],
        "classes": classes,
        "several_labels": bool(fitted["multilabel_"]),
        "images": {part: dict(zip(classes, counts[part], strict=True)) for part in counts},
        "masks": int(decode(fitted["n_masks_seen_"])),
        "image_size": size if isinstance(size, tuple) else int(size),
        "resize": str(decode(params["resize"])),
        "channels": int(decode(fitted["n_channels_seen_"])),
        "value_range": decode(fitted["value_range_"]),
        "normalization": "measured" if fitted["normalization_"] else "pretrained",
        "regions": regions,
        "tau": tau if isinstance(tau, str) else float(tau),
        "certainty_threshold": float(decode(params["certainty_threshold"])),
        "parameters": config["parameters"],
        "held_out": _held_out(config),
        "calibration": _calibration(decode(config["calibration"])),
        "audit": config["audit"],
        **config["circumstances"],
    }


def _held_out(config: dict[str, Any]) -> dict[str, Any] | None:
    """Scores of the held-out images at the epoch whose weights the model has."""
    rows = [decode(row) for row in config["history"]]
    patience = decode(config["params"].get("training__patience"))
    if not rows or "valid_acc" not in rows[-1]:
        return None
    row = rows[-1]
    if patience is not None:
        of_phase = [r for r in rows if r.get("phase") == row.get("phase") and "valid_loss" in r]
        row = min(of_phase, key=lambda r: r["valid_loss"])
    return {
        "accuracy": float(row["valid_acc"]),
        "kept_fraction": float(row["valid_kept"]) if "valid_kept" in row else None,
        "chose_the_epoch": patience is not None,
    }


def _calibration(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    if not stored:
        return None
    names = ("max_error", "alpha", "mean_kept", "lowest_familiarity")
    return {
        "n_images": len(stored["certainty"]),
        **{name: stored[name] for name in names},
        "per_class": stored["answered_classes"] is not None,
        "set_error": stored["sets"] and stored["sets"]["set_error"],
    }


# -- words -----------------------------------------------------------------------------------


def card(found: dict[str, Any], old: bytes | None = None) -> bytes:
    """The model card, as Markdown; what people wrote into the one before is kept."""
    written = f"{BEGIN}\n\n{in_words(found, _escaped)}\n{END}"
    own = written.encode("utf-8", "backslashreplace")
    if old is None:
        return _HEADER.encode() + own + b"\n"
    before, begin, rest = old.partition(BEGIN.encode())
    _, end, after = rest.partition(END.encode())
    # Without both comments, all of it has become the user's.
    return before + own + after if begin and end else old


def in_words(found: dict[str, Any], name: Callable[[str], str] = str) -> str:
    """The facts as sections of Markdown; ``name`` changes what comes from the user."""
    sections = {
        "Images": _images(found, name),
        "How it answers": _answers(found, name),
        "How good it is": _scores(found, name),
        "Limits": _limits(found),
        "How it was made": _made(found, name),
    }
    intro = (
        f"This {name(found['class'])} predicts "
        f"{'the labels' if found['several_labels'] else 'the class'} of an image from the "
        "regions that it shows; its classifier sees nothing else of the image.\n"
    )
    return "\n".join([intro, *(f"## {title}\n\n{text}" for title, text in sections.items())])


def _images(found: dict[str, Any], name: Callable[[str], str]) -> str:
    classes, parts = found["classes"], found["images"]
    trained, held_out = parts["trained"], parts["held_out"]
    kind = "label" if found["several_labels"] else "class"
    if found["several_labels"]:
        said = f"An image has any number of {len(classes)} labels. Images with each of them:"
    else:
        said = (
            f"The last training used {_number(sum(trained.values()))} images of "
            f"{len(classes)} classes, and {_number(sum(held_out.values()))} more were held out."
        )
    rows = [
        f"| {name(label)} | {trained[label]:,} | {held_out[label]:,} |"
        for label in classes[:_MOST_ROWS]
    ]
    more = len(classes) - len(rows)
    plural = "labels" if found["several_labels"] else "classes"
    left = [f"\n{more} more {plural} are not listed here."] if more else []
    head = [f"| {kind} | trained on | held out |", "|---|---:|---:|"]
    return "\n".join([said, "", *head, *rows, *left, ""])


def _answers(found: dict[str, Any], name: Callable[[str], str]) -> str:
    size = found["image_size"]
    height, width = size if isinstance(size, tuple) else (size, size)
    if found["tau"] == "dynamic":
        calibration = found["calibration"] or {}
        bounds = [calibration.get(name) for name in ("max_error", "mean_kept")]
        certain = "sufficiently" if any(bounds) else f"{found['certainty_threshold']:.0%}"
        # A calibrated certainty is that of all answers together.
        average = " on average" if calibration and not any(bounds) else ""
        shown = (
            f"It shows as little of each image as it needs to be {certain} "
            f"certain{average}. An image about which it never is, is not answered."
        )
    else:
        shown = f"It shows at most {found['tau']:.0%} of each image (tau)."
    value_range = found["value_range"]
    networks = ", ".join(f"{part} {_number(n)}" for part, n in found["parameters"].items())
    return _listed(
        shown,
        f"Images are brought to {height} x {width} pixels (`resize`: {found['resize']}) with "
        f"{found['channels']} channels.",
        f"The values that become 0 and 1: {name(brief(value_range))}." if value_range else None,
        f"Normalization of the channels: {found['normalization']}.",
        f"Regions: {name(str(found['regions']))}.",
        f"Parameters of the networks: {networks}.",
    )


def _scores(found: dict[str, Any], name: Callable[[str], str]) -> str:
    scores, calibration, audit = found["held_out"], found["calibration"], found["audit"]
    lines = ["Not measured: no images were held out of the training."]
    if scores is not None:
        kept = scores["kept_fraction"]
        lines = [
            f"Of the held-out images, {scores['accuracy']:.1%} were classified correctly"
            + ("" if kept is None else f", from {kept:.1%} of their pixels on average")
            # What it shows has changed since.
            + (", before its certainty was calibrated." if calibration else ".")
            + (" They also chose the epoch." if scores["chose_the_epoch"] else "")
        ]
    lines.append(
        _calibrated(calibration) if calibration else "Its certainty is not calibrated."
    )
    if calibration and (lowest := calibration["lowest_familiarity"]) is not None:
        lines.append(f"Images with a familiarity below {lowest:.3g} are not answered.")
    if audit is not None:
        lines.append(
            f"An audit with {_number(audit['n_images'])} images: **{name(audit['verdict'])}**. "
            + name(" ".join(audit["reasons"]))
        )
    return _listed(*lines)


def _calibrated(calibration: dict[str, Any]) -> str:
    said = f"Its certainty is calibrated with {_number(calibration['n_images'])} images"
    if (error := calibration["max_error"]) is not None:
        alpha = calibration["alpha"]
        sure = "on average" if alpha is None else f"with a confidence of {1 - alpha:.0%}"
        whose = " that name a class, for every class" if calibration["per_class"] else ""
        said += f"; at most {error:.1%} of the answers{whose} are wrong, {sure}"
    if (kept := calibration["mean_kept"]) is not None:
        said += f"; it shows at most {kept:.1%} of the pixels on average"
    if (missed := calibration["set_error"]) is not None:
        said += f"; at most {missed:.1%} of its prediction sets miss the true class"
    return f"{said}, for images like these."


def _limits(found: dict[str, Any]) -> str:
    masks = found["masks"]
    return _listed(
        f"Masks of {_number(masks)} images have taught it where the evidence is: its "
        "localization says how well it has learned them, and is no finding of its own."
        if masks
        else None,
        "What is shown is what the answer was made from. It need not be a good reason: a model "
        "that looks at the snow shows the snow.",
        None
        if found["audit"]
        else "Whether the choice of the regions gives the answer away, instead of what can be "
        "seen in them, has not been tested (`p2pselect audit`).",
        None
        if found["calibration"]
        else "Fewer answers are right than its certainty says (`calibrate` corrects this).",
        "Nothing is known about images of another kind than those above.",
    )


def _made(found: dict[str, Any], name: Callable[[str], str]) -> str:
    use = "Read it with `p2pselect.load`, or on the command line with `p2pselect predict`."
    versions = ", ".join(f"{package} {name(v)}" for package, v in found["versions"].items())
    return _listed(f"Saved on {found['date']} with {versions}.", use)


def _listed(*lines: str | None) -> str:
    return "".join(f"- {line}\n" for line in lines if line is not None)


def _number(count: int) -> str:
    return f"{count:,}"


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&$])", r"\\\1", " ".join(text.split()))
