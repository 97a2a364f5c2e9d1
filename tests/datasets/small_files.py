"""Small image sets in the layouts and formats of the real ones."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_image(path: Path, size=(8, 8), value=0) -> Path:
    """Write an image of one shade of gray; ``size`` is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (value, value, value)).save(path)
    return path


def write_mask(path: Path, mask: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, mask)
    return path
