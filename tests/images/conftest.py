"""The same small images, and files of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

N, H, W = 7, 20, 28


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (N, H, W, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def paths(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files with ümlauts")
    made = []
    for number, image in enumerate(pixels):
        made.append(folder / f"{number}.png")
        Image.fromarray(image).save(made[-1])
    return made
