"""The reasons for which a test may be skipped, each with what has to be true on this machine.

A skip for any other reason, or for a reason that is not true here, fails: see ``conftest.py``.
"""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

BESIDE = Path(__file__).resolve().parents[2] / "shared"

#: Optional local data: the variable that names its folder, and the folder used without it.
LOCAL_DATA = {
    "P2PSELECT_EMOJI_SCENES": BESIDE / "data" / "emoji_scenes",
    "P2PSELECT_WEIGHTS": BESIDE / "weights",
}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def local_folder(variable: str) -> Path:
    """Where optional data should be."""
    return Path(os.environ.get(variable, LOCAL_DATA[variable]))


def without_local(variable: str) -> str:
    """The reason of a skip where optional data are missing."""
    beside = LOCAL_DATA[variable].name
    return f"{variable} does not name a folder, and there is no {beside} next to the checkout"


def has_chromium() -> bool:
    return any(map(shutil.which, CHROMIUM)) and shutil.which("chromedriver") is not None


def _missing(module: str) -> Callable[[], bool]:
    return lambda: find_spec(module) is None


REASONS: dict[str, Callable[[], bool]] = {
    "selenium is not installed": _missing("selenium"),
    "pydicom is not installed": _missing("pydicom"),
    "quantus is not installed": _missing("quantus"),
    "dask is not installed": _missing("distributed"),
    "pyarrow is not installed": _missing("pyarrow"),
    "ray is not installed": _missing("ray"),
    "this system has no fork": lambda: not hasattr(os, "fork"),
    "onnxruntime is not installed": _missing("onnxruntime"),
    "fast-slic is not installed": _missing("fast_slic"),
    "fast-slic is installed": lambda: find_spec("fast_slic") is not None,
    "scikit-learn before 1.9 has no callbacks": _missing("sklearn.callback"),
    "chromium or chromedriver is not on the path": lambda: not has_chromium(),
    "file permissions do not bind the superuser": (
        lambda: os.name != "posix" or os.geteuid() == 0
    ),
    # A check of scikit-learn for all that have it.
    "FlatP2P does not have a decision_function method.": lambda: True,
    # A check of scikit-learn, whose way to switch this on has to be set before scipy is loaded.
    "SCIPY_ARRAY_API is not set: not checking array_api input": (
        lambda: "SCIPY_ARRAY_API" not in os.environ
    ),
    "open files cannot be counted here": lambda: not Path("/proc/self/fd").is_dir(),
    "git is not on the path": lambda: shutil.which("git") is None,
    "this system is not POSIX": lambda: os.name != "posix",
    "this system has no /dev/null": lambda: not Path("/dev/null").is_char_device(),
    "this build of torch has no gloo": (
        lambda: not (torch.distributed.is_available() and torch.distributed.is_gloo_available())
    ),
    **{
        without_local(variable): lambda variable=variable: not local_folder(variable).is_dir()
        for variable in LOCAL_DATA
    },
}


def objection(reason: str) -> str | None:
    """What is wrong with a skip for this reason; None if it is justified."""
    if reason not in REASONS:
        return f"skipped for a reason that tests/skip_reasons.py does not list: {reason}"
    if not REASONS[reason]():
        return f"skipped for a reason that is not true on this machine: {reason}"
    return None
