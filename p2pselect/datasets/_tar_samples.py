"""Samples of a tar file as WebDataset writes it: members that share their key."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from p2pselect.exceptions import InputError, brief
from p2pselect.images._folders import is_hidden
from p2pselect.images._reading import readable_endings

#: Endings of members that hold a label; the first that there is counts.
LABELS = ("cls", "txt", "json")
_IN_JSON = ("label", "cls", "class")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass
class Sample:
    """What a tar file holds under one key."""

    image: tarfile.TarInfo | None = None
    labels: dict[str, bytes] = field(default_factory=dict)
    #: The first member whose ending is that of an image behind more dots.
    dotted: str | None = None


def read_samples(path: str) -> dict[str, Sample]:
    """Look through a tar file, and read its labels.

    Parameters
    ----------
    path : str

    Returns
    -------
    dict of str to Sample
        By key, with its folder, in the order of the file; those that have an image, a label,
        or what looks like one.

    Raises
    ------
    InputError
        When the file cannot be read, or a sample has two images or two labels of one kind.
    """
    images = {ending.removeprefix(".") for ending in readable_endings()}
    samples: dict[str, Sample] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep them all
                name = PurePosixPath(member.name)
                if not member.isfile() or any(is_hidden(p) for p in name.parts if p != ".."):
                    continue
                first, _, ending = name.name.partition(".")
                key, ending = str(name.with_name(first)), ending.lower()
                if ending in images:
                    sample = samples.setdefault(key, Sample())
                    if sample.image is not None:
                        raise InputError(f"{path} has two images of {brief(key)}")
                    sample.image = member
                elif ending in LABELS:
                    sample = samples.setdefault(key, Sample())
                    if ending in sample.labels:
                        raise InputError(f"{path} has two labels of {brief(key)} (.{ending})")
                    file = tar.extractfile(member)
                    assert file is not None
                    sample.labels[ending] = file.read()
                elif ending.rpartition(".")[2] in images:
                    sample = samples.setdefault(key, Sample())
                    sample.dotted = sample.dotted or member.name
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{path} {_no_tar(path, error)}") from error
    return samples


def check_complete(path: str, samples: dict[str, Sample], kind: str | None) -> None:
    """Make sure that every sample has an image and a label.

    Parameters
    ----------
    path : str
    samples : dict of str to Sample
    kind : str or None
        Ending of the labels; None where no sample so far has any.

    Raises
    ------
    InputError
    """
    for sample in samples.values():
        if sample.image is None and sample.dotted is not None:
            key, _, part = PurePosixPath(sample.dotted).name.partition(".")
            raise InputError(
                f"{path}, {sample.dotted}: a key ends at the first dot, so that this is the "
                f"part {brief(part)} of {brief(key)} and not an image; write keys without dots"
            )
    lacking = {
        "image": [key for key, sample in samples.items() if sample.image is None],
        f"label (.{kind or ', .'.join(LABELS)})": [
            key for key, sample in samples.items() if kind not in sample.labels
        ],
    }
    for what, keys in lacking.items():
        if keys:
            raise InputError(f"{path}: {brief(keys[0])} has no {what}, {len(keys)} such in all")


def label_of(content: bytes, kind: str, name: str) -> str:
    """The label that a member of a tar file holds.

    Parameters
    ----------
    content : bytes
    kind : {"cls", "txt", "json"}
    name : str
        What the member is called in messages.

    Returns
    -------
    str

    Raises
    ------
    InputError
    """
    try:
        text = content.decode("utf-8-sig").strip()
        if kind == "json":
            text = _in_json(json.loads(text))
    except ValueError as error:
        raise InputError(f"{name}: no label can be read: {error}") from error
    if not text or "\n" in text:
        raise InputError(
            f"{name}: expected a label in one line, got {len(text.splitlines())} lines"
        )
    return text


def _in_json(value: object) -> str:
    if isinstance(value, dict):
        value = next((value[key] for key in _IN_JSON if key in value), value)
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value).strip()
    raise ValueError(
        f"expected a string, a whole number, or an object with one of them as "
        f"{' or '.join(map(repr, _IN_JSON))}, got {brief(value)}"
    )


def _no_tar(path: str, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    with Path(path).open("rb") as file:
        if file.read(6).startswith(_COMPRESSED):
            return (
                "is compressed, so that its images cannot be read in any order: decompress it "
                "(images are compressed already)"
            )
    return f"cannot be read as a tar file: {error}"
