"""Sets of tiny photographs in the layout that photograph_sets.py reads."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 32)
COLORS = {"blue": (40, 60, 220), "red": (220, 60, 40)}


def write_set(
    root: Path,
    n_train: int = 10,
    n_test: int = 4,
    seed: int = 0,
    size: tuple[int, int] = SIZE,
) -> Path:
    """Squares of the class's color on gray; masks for all but the first image of a class.

    A second kind of masks marks the left half of every image.  Images come in groups of two.
    """
    rng = np.random.default_rng(seed)
    table = []
    for split, n in {"train": n_train, "test": n_test, "test_more": n_test}.items():
        for label, color in COLORS.items():
            for number in range(n):
                image = rng.integers(90, 130, (*size, 3)).astype(np.uint8)
                y, x = rng.integers(0, size[0] - 10), rng.integers(0, size[1] - 10)
                image[y : y + 10, x : x + 10] = color
                object_ = np.zeros(size, bool)
                object_[y : y + 10, x : x + 10] = True
                left = np.zeros(size, bool)
                left[:, : size[1] // 2] = True
                name = f"{label}/{number}"
                _write(root / split / "images" / f"{name}.png", image)
                if number:
                    _write(root / split / "masks" / f"{name}.png", object_ * np.uint8(255))
                _write(root / split / "left_masks" / f"{name}.png", left * np.uint8(255))
                row = {"split": split, "image": f"{split}/images/{name}.png"}
                table.append({**row, "group": f"{label}-{number // 2}"})
    with (root / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return root


def _write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
