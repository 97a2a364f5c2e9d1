"""What a bug report needs to know about the machine it comes from."""

import os
import platform
import re
import sys
from importlib import metadata

__all__ = ["show_versions"]

#: Extras of ``pyproject.toml`` that users install; the others are for developers.
_EXTRAS = ("app", "plots", "coco", "dicom", "onnx", "runtime")
#: Packages that are used where they are installed, but that no extra can install.
_UNLISTED = ("fast-slic", "pillow-heif")


def package_versions() -> dict[str, str]:
    """Versions of the dependencies, as the installed package itself names them."""
    names = ["p2pselect", "pip"]
    for requirement in metadata.requires("p2pselect") or []:
        extra = re.search(r'extra == "(\w+)"', requirement)
        if extra is None or extra[1] in _EXTRAS:
            names += re.findall(r"^[\w.-]+", requirement)
    found = {}
    for name in [*names, *_UNLISTED]:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _compute() -> dict[str, str]:
    """Devices and threads, as torch sees them."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "processors": str(os.cpu_count()),
        "torch threads": str(torch.get_num_threads()),
        "CUDA": f"{torch.version.cuda}: {', '.join(gpus) or 'no device'}",
        "MPS": str(torch.backends.mps.is_available()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
    }


def show_versions() -> None:
    """Print the versions of Python and of all packages used, the devices and the threads.

    Please paste the output into bug reports.

    Examples
    --------
    >>> from p2pselect import show_versions
    >>> show_versions()  # doctest: +SKIP
    """
    system = {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
    }
    parts = {
        "System": system,
        "Packages": package_versions(),
        "Devices and threads": _compute(),
    }
    for title, facts in parts.items():
        print(f"\n{title}:")
        for name, value in facts.items():
            print(f"{name:>16}: {value}")
