"""Fixtures shared by all tests, and where optional local data are looked for."""

import os
from pathlib import Path

import pytest
import torch

BESIDE = Path(__file__).resolve().parents[2] / "shared"


def _local(variable: str, beside: Path) -> Path:
    folder = Path(os.environ.get(variable, beside))
    if not folder.is_dir():
        pytest.skip(f"{variable} is not set and {beside.name} is not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def emoji_scenes() -> Path:
    """Folder of the emoji_scenes images (labels.csv, SPLIT/images, SPLIT/masks)."""
    return _local("P2PSELECT_EMOJI_SCENES", BESIDE / "data" / "emoji_scenes")


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """Folder of ImageNet weights for timm's mobilenetv2_100 and tf_efficientnet_lite0."""
    return _local("P2PSELECT_WEIGHTS", BESIDE / "weights")


@pytest.fixture(autouse=True, scope="session")
def _one_torch_thread() -> None:
    # The networks of the tests are tiny: more threads only add overhead.
    torch.set_num_threads(1)
