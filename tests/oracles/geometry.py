"""Where a pixel of a grid lies on a photograph, one pixel at a time and in fractions."""

from fractions import Fraction

import numpy as np


def rounded(value: Fraction) -> int:
    """The nearest integer, halves upward, and 1 at least."""
    return max(1, (value + Fraction(1, 2)).__floor__())


def placed(original, grid, resize):
    """(top, left, height, width) of the part of the photograph, and of that of the grid."""
    (height, width), (rows, columns) = original, grid
    scales = Fraction(rows, height), Fraction(columns, width)
    if resize == "stretch":
        return (0, 0, *original), (0, 0, *grid)
    if resize == "pad":
        scale = min(scales)
        size = rounded(height * scale), rounded(width * scale)
        start = (rows - size[0]) // 2, (columns - size[1]) // 2
        return (0, 0, *original), (*start, *size)
    scale = max(scales)
    size = rounded(rows / scale), rounded(columns / scale)
    start = (height - size[0]) // 2, (width - size[1]) // 2
    return (*start, *size), (0, 0, *grid)


def moved(values, start, size, onto, out):
    """Copy a part of ``values`` to a part of ``out``: every new pixel from the nearest one."""
    (top, left, height, width), (first, left_out, rows, columns) = (*start, *size), onto
    for i in range(rows):
        for j in range(columns):
            y = ((i + Fraction(1, 2)) * height / rows).__floor__()
            x = ((j + Fraction(1, 2)) * width / columns).__floor__()
            out[first + i, left_out + j] = values[top + y, left + x]
    return out


def onto_grid(values, grid, resize, fill):
    source, content = placed(values.shape, grid, resize)
    out = np.full(grid, fill, values.dtype)
    return moved(values, source[:2], source[2:], content, out)


def back(values, original, resize, fill):
    source, content = placed(original, values.shape, resize)
    out = np.full(original, fill, values.dtype)
    return moved(values, content[:2], content[2:], source, out)
