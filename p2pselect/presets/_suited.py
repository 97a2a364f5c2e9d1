"""Choose among the presets, and fit the choice to the images at hand."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from p2pselect._answer_kinds import LABEL_SET, AnswerKind
from p2pselect._labels import read_labels
from p2pselect._targets import find_targets, kind_of
from p2pselect.exceptions import (
    ImageReadError,
    InputError,
    P2PSelectWarning,
    WeightsNotFoundError,
    brief,
)
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._meaning import SAID
from p2pselect.images._pixels import height_width
from p2pselect.presets._budget import Budget, grid
from p2pselect.presets._named import PHOTOS, SMALL
from p2pselect.presets._preset import Preset, single_settings
from p2pselect.presets._weights import NETWORKS, look_for_weights

#: Images of no more pixels than a square of this side have no detail for pretrained networks.
TINY = 64
#: Sizes are read of this many images: those of a million files would take minutes.
N_MEASURED = 500
#: Below this number of photographs, smaller batches give more steps in the same time.
FEW, FEW_BATCH = 320, 16
#: Several labels need more epochs than classes: one mask has to serve all of them.
FOR_SEVERAL_LABELS = 1.25

_SIDES = (128, 160, 192, 224)
# Measured on one core, with validation and calibration: 27 ms for a pass of PHOTOS at 128
# pixels; 2.7 ms for one of SMALL, without.
PHOTOS_ON_CPU = Budget(_SIDES, 32, PHOTOS["max_epochs"], passes=20_000, steps=400)
PHOTOS_ON_GPU = Budget(_SIDES, 32, PHOTOS["max_epochs"], passes=1_000_000, steps=400)
SMALL_ANYWHERE = Budget(
    (SMALL["image_size"],), 16, SMALL["max_epochs"], passes=195_000, steps=2600
)


class SuitedPreset(Preset):
    """Settings that were chosen for some images; printed, they say what was chosen and why.

    Parameters
    ----------
    what : str
        What was chosen.
    why : str
        Why.
    **settings
        Settings of :class:`~p2pselect.P2PClassifier`; those of a group as ``group__name``.

    Attributes
    ----------
    what : str
        What was chosen, in one line.
    why : str
        Why, in one line.

    Examples
    --------
    >>> print(SuitedPreset("three epochs", "there is little time", max_epochs=3))
    chosen: three epochs
    because: there is little time
    """

    def __init__(self, what: str, why: str, /, **settings: Any):
        super().__init__(**settings)
        self.what = what
        self.why = why

    def __str__(self) -> str:
        return f"chosen: {self.what}\nbecause: {self.why}"


@dataclass(frozen=True)
class Facts:
    """What the choice depends on, besides the weights.

    Attributes
    ----------
    n_images, n_classes : int
    kind : AnswerKind
        Whether an image is of one class or can have several labels.
    height, width : int
        Medians, in pixels.
    aspect : float
        Geometric mean of width / height.
    on_cpu : bool
    holds_out : bool
        Whether a training would hold out images to measure and calibrate the model with.
    """

    n_images: int
    n_classes: int
    kind: AnswerKind
    height: int
    width: int
    aspect: float
    on_cpu: bool
    holds_out: bool

    @property
    def side(self) -> float:
        """Side in pixels of a square of the same area."""
        return float(np.sqrt(self.height * self.width))

    def __str__(self) -> str:
        device = "CPU" if self.on_cpu else "GPU"
        return (
            f"{self.n_images:,} images of {self.n_classes} {self.kind.called}, {self.height} x "
            f"{self.width} pixels, {device}"
        )


def suited_to(
    images: Any,
    labels: Any,
    *,
    preset: str = "auto",
    **given: Any,
) -> SuitedPreset:
    """Choose settings for some images, by what is there: images, device, pretrained weights.

    Photographs get :data:`PHOTOS` where there are pretrained weights: in a folder, in the
    local cache, or to be downloaded.  Images of up to 64 x 64 pixels, and photographs for
    which there are no weights, get :data:`SMALL`.  The grid that images are resized to
    has their aspect, and more pixels on a GPU or where images are few.  There are as many
    epochs as about ten minutes on a laptop allow, but never fewer than 3, and a quarter more
    for photographs with several labels.

    Parameters
    ----------
    images : images
        See :func:`p2pselect.images.as_images`.  At most 500 of them are looked at, and of
        files nothing but their size is read.
    labels : array-like of shape (n,) or (n, n_labels)
        Their labels.
    preset : {"auto", "photos", "small"}, default="auto"
        ``"photos"`` and ``"small"`` are taken whatever the images are.
    **given
        Settings that are decided already, such as ``image_size=224``, ``device="cpu"``,
        ``classifier="convnext_tiny"`` or ``pretrained="folder/of/weights"``: they are part of
        the result, and everything else is chosen to go with them.  Networks that are named
        here are not replaced by small ones.

    Returns
    -------
    SuitedPreset
        Arguments for :class:`~p2pselect.P2PClassifier`.  ``print`` says in two lines what was
        chosen and why.

    Raises
    ------
    InputError
        If images and labels differ in number, if there is only one class, or if layers of
        the small networks shall be frozen.
    WeightsNotFoundError
        If ``pretrained`` is a folder without the weights of a network, which cannot be had
        elsewhere either; or if layers shall be frozen that have no pretrained weights.

    Warns
    -----
    P2PSelectWarning
        If photographs have to do without pretrained weights.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> scenes = datasets.make_digit_scenes(600, image_size=32, random_state=0)
    >>> settings = presets.suited_to(scenes.images, scenes.target, device="cpu")
    >>> print(settings)
    chosen: preset small, networks from scratch, 64 x 64 pixels, 139 epochs
    because: 600 images of 10 classes, 32 x 32 pixels, CPU, about 4 minutes; \
too small for pretrained networks
    >>> clf = P2PClassifier(**settings, random_state=0)
    """
    known = ("auto", "photos", "small")
    if preset not in known:
        raise InputError(f"preset must be one of {list(known)}, got {brief(preset)}")
    given = single_settings(given)
    facts = look_at(images, labels, given)
    freezes = "networks__frozen_share" in given
    named = freezes or any(role in given for role in NETWORKS)
    if preset == "small" and freezes:
        raise InputError(
            "networks__frozen_share: the preset 'small' has no pretrained weights to keep"
        )
    if preset == "small":
        return fitted(SMALL, "small, networks from scratch", "as asked", facts, given)
    if preset == "auto" and not named and facts.side <= TINY:
        why = "too small for pretrained networks"
        return fitted(SMALL, "small, networks from scratch", why, facts, given)
    networks = {role: given.get(role, PHOTOS[role]) for role in NETWORKS}
    names = [name if isinstance(name, str) else "your own" for name in networks.values()]
    title = f"photos, {' + '.join(dict.fromkeys(names))}"
    pretrained = given.get("pretrained", "auto")
    if not (pretrained == "auto" or is_folder(pretrained)):
        return fitted(PHOTOS, title, "weights as given", facts, given)
    found = look_for_weights(networks, pretrained)
    if found.missing and freezes:
        raise WeightsNotFoundError(
            "networks__frozen_share: there are no weights to keep of "
            f"{' and '.join(found.missing)}; {found.words}"
        )
    small = bool(found.missing) and preset == "auto" and not named
    if found.missing:
        warn_of_scratch(found.missing, small)
    if small:
        return fitted(SMALL, "small, networks from scratch", found.words, facts, given)
    settings = {**given, "pretrained": found.pretrained}
    if found.missing:
        # Layers with random weights must not keep them.
        share = PHOTOS["networks"].frozen_share
        settings["networks__frozen_share"] = {
            role: share if has_some else 0.0 for role, has_some in found.pretrained.items()
        }
    return fitted(PHOTOS, title, found.words, facts, settings)


def is_folder(pretrained: Any) -> bool:
    """Whether weights are given as a folder of files, or as what should be one."""
    if not isinstance(pretrained, str | os.PathLike):
        return False
    return not Path(pretrained).is_file()


def look_at(images: Any, labels: Any, given: dict[str, Any]) -> Facts:
    """Everything about images and device that the choice depends on."""
    from p2pselect.training._isolation import resolve_device
    from p2pselect.training._validation import split_rows

    device, validation = given.get("device", "auto"), given.get("validation", "auto")
    images = as_images(
        images, **{k: given[f"images__{k}"] for k in SAID if f"images__{k}" in given}
    )
    labels, columns = read_labels(labels, "labels")
    if len(images) != len(labels):
        raise InputError(
            f"images and labels must have the same length: got {len(images)} images and "
            f"{len(labels)} labels"
        )
    height, width = sizes_of_some(images).T
    return Facts(
        n_images=len(images),
        n_classes=len(find_targets(labels, columns, "labels")),
        kind=kind_of(labels),
        height=int(np.median(height)),
        width=int(np.median(width)),
        # Where half of the photographs are upright and half are not, this is a square.
        aspect=float(np.exp(np.log(width / height).mean())),
        on_cpu=resolve_device(device).type == "cpu",
        holds_out=(
            len(split_rows("auto", labels)[1]) > 0
            if isinstance(validation, str)
            else validation is not None
        ),
    )


def sizes_of_some(images: ImageSequence) -> np.ndarray:
    """Heights and widths (n, 2) of evenly spaced images, without those that are damaged."""
    rows = np.unique(np.linspace(0, len(images) - 1, N_MEASURED).round().astype(int))
    if images.image_shape is not None:
        rows = rows[:1]
    sizes = []
    for row in rows:
        try:
            sizes += images[[row]].sizes().tolist()
        except ImageReadError as error:
            # `fit` names all of them.
            damaged = error
    if not sizes:
        raise damaged
    return np.array(sizes)


def fitted(
    preset: Preset, name: str, reason: str, facts: Facts, given: Mapping[str, Any]
) -> SuitedPreset:
    """A preset with the grid and the epochs that suit the images, unless these are given."""
    settings: dict[str, Any] = single_settings(preset)
    if not facts.holds_out:
        # Nothing to calibrate with: `fit` would say so every time.
        for needless in ("search__calibration", "search__mean_kept"):
            settings.pop(needless, None)
    settings |= given
    budget = SMALL_ANYWHERE if preset is SMALL else PHOTOS_ON_CPU
    if preset is PHOTOS and not facts.on_cpu:
        budget = PHOTOS_ON_GPU
    if preset is PHOTOS and facts.n_images < FEW and "batch_size" not in given:
        settings["batch_size"] = FEW_BATCH
    batch_size = settings["batch_size"]
    if "image_size" not in given:
        side = budget.side(facts.n_images, facts.side, batch_size)
        shape = grid(facts.aspect, side, budget.cell)
        settings["image_size"] = shape[0] if shape[0] == shape[1] else shape
    height, width = height_width(settings["image_size"])
    area = height * width
    if "max_epochs" not in given:
        epochs = budget.epochs_for(facts.n_images, area, settings["batch_size"])
        if preset is PHOTOS and facts.kind == LABEL_SET:
            epochs = round(FOR_SEVERAL_LABELS * epochs)
        settings["max_epochs"] = epochs
    epochs = settings["max_epochs"]
    if "objective__warmup_epochs" not in given:
        share = preset["objective"].warmup_epochs / preset["max_epochs"]
        settings["objective__warmup_epochs"] = round(share * epochs)
    what = f"preset {name}, {height} x {width} pixels, {epochs} epoch{'s' * (epochs != 1)}"
    time = ""
    if facts.on_cpu:
        time = f", {_about(budget.minutes(facts.n_images, area, epochs))}"
    return SuitedPreset(what, f"{facts}{time}; {reason}", **settings)


def _about(minutes: float) -> str:
    if minutes < 1.5:
        return "about a minute"
    return f"about {minutes:.0f} minutes" if minutes < 90 else f"about {minutes / 60:.0f} hours"


def warn_of_scratch(names: list[str], small: bool) -> None:
    """Say what it costs that there are no pretrained weights, and what can be done."""
    instead = "small networks learn" if small else "what is learned there starts"
    files = " and ".join(f"{name}.safetensors" for name in names)
    warnings.warn(
        f"there are no pretrained weights of {' and '.join(names)}, so {instead} from scratch: "
        "on photographs, expect far fewer right answers.  Let this machine download them once, "
        f"or name a folder that holds {files} (pretrained=, or --weights on the command line)",
        P2PSelectWarning,
        stacklevel=3,
    )
