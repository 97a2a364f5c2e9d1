"""The names of networks: timm's, and the one of torchvision that the paper uses."""

from __future__ import annotations

from collections.abc import Sequence

from p2pselect.exceptions import UnknownNameError, brief, did_you_mean

TORCHVISION_LRASPP = "lraspp_mobilenet_v3_large"
#: The same network, of which the backbone alone is pretrained.
TORCHVISION_IMAGENET = f"{TORCHVISION_LRASPP}.imagenet"
TORCHVISION_NAMES = (TORCHVISION_LRASPP, TORCHVISION_IMAGENET)


def check_network_name(name: str, known: Sequence[str] = ()) -> None:
    """Raise UnknownNameError, with near matches, unless timm or ``known`` has the name."""
    import timm

    if name in known:
        return
    if timm.is_model(name):
        base, _, tag = name.partition(".")
        tags = [full.partition(".")[2] for full in timm.list_models(base, include_tags=True)]
        if tag and tag not in tags:
            raise UnknownNameError(
                f"timm has no weights {brief(tag)} of {brief(base)}: expected one of {tags}"
                + did_you_mean(tag, tags)
            )
        return
    raise UnknownNameError(
        f"there is no network {brief(name)}: expected the name of a timm model"
        + (f" or one of {list(known)}" if known else "")
        + did_you_mean(name, [*known, *timm.list_models()])
    )


def split_file_name(stem: str) -> tuple[str, str] | None:
    """Split the name of a file into the network that it belongs to, and the rest.

    It is the longest name of a network that the file's name begins with, where the name ends
    or goes on with a dot, an underscore or a hyphen.  None where there is no such network.
    """
    import timm

    for end in range(len(stem), 0, -1):
        if stem[end : end + 1] not in ("", ".", "_", "-"):
            continue
        name = stem[:end]
        # is_model() ignores everything after a dot.
        if name == TORCHVISION_LRASPP or ("." not in name and timm.is_model(name)):
            return name, stem[end:]
    return None
