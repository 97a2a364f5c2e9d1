"""What SLIC compares: three colour coordinates per pixel, stored cell by cell."""

import numpy as np

from p2pselect.regions._compiled import compiled


def _lab_tables() -> tuple[np.ndarray, np.ndarray]:
    """Lookup tables of the way from sRGB to CIELAB (D65).

    The first, (3, 256), holds for every channel and value its part of X, Y and Z relative
    to white, as three fields of one integer; the second the cube root of CIELAB.
    """
    srgb = np.arange(256) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    to_xyz /= to_xyz.sum(axis=1, keepdims=True)
    parts = np.rint(to_xyz[:, :, None] * linear * 65536).astype(np.int64)
    t = np.arange(4097) / 4096
    root = np.where(t > (6 / 29) ** 3, np.cbrt(t), t * (29 / 6) ** 2 / 3 + 4 / 29)
    return parts[0] | parts[1] << 20 | parts[2] << 40, root.astype(np.float32)


_XYZ_PARTS, _ROOT = _lab_tables()


def image_features(
    image: np.ndarray, tops: np.ndarray, lefts: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """CIELAB of every pixel, or the three coordinates that stand for it.

    Returns
    -------
    features : ndarray of shape (3, n_cells * area), float32
        Stored cell by cell; every cell has room for the largest.
    colours : ndarray of shape (h, w, 3), uint8
        The same, rounded, a and b plus 128.
    """
    if image.shape[2] == 3:
        return _lab(image, tops, lefts, height, width, _XYZ_PARTS, _ROOT)
    components = _principal_components(image)
    cells = np.zeros((3, len(tops) - 1, len(lefts) - 1, height, width), np.float32)
    for row, column in np.ndindex(cells.shape[1:3]):
        cell = components[tops[row] : tops[row + 1], lefts[column] : lefts[column + 1]]
        cells[:, row, column, : cell.shape[0], : cell.shape[1]] = cell.transpose(2, 0, 1)
    return cells.reshape(3, -1), np.clip(np.rint(components + 128), 0, 255).astype(np.uint8)


def _principal_components(image: np.ndarray) -> np.ndarray:
    """The first three components of the channels, (h, w, 3); white is 100 from black."""
    h, w, channels = image.shape
    # Integer sums, so that the components do not depend on the order of summation.
    flat = image.reshape(-1, channels).astype(np.int64)
    total = flat.sum(axis=0)
    covariance = len(flat) * (flat.T @ flat) - np.outer(total, total)
    axes = np.linalg.eigh(covariance.astype(float))[1][:, ::-1] * (100 / 255)
    centred = flat - total / len(flat)
    out = np.zeros((h * w, 3))
    for k in range(min(channels, 3)):
        for channel in range(channels):
            out[:, k] += centred[:, channel] * axes[channel, k]
    return out.reshape(h, w, 3)


@compiled
def _lab(
    image: np.ndarray,
    tops: np.ndarray,
    lefts: np.ndarray,
    height: int,
    width: int,
    parts: np.ndarray,
    root: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """CIELAB of an sRGB image, as :func:`image_features` returns it."""
    rows, columns = len(tops) - 1, len(lefts) - 1
    features = np.empty((3, rows * columns * height * width), np.float32)
    colours = np.empty((tops[-1], lefts[-1], 3), np.uint8)
    for cell in range(rows * columns):
        row, column = divmod(cell, columns)
        top, left = tops[row], lefts[column]
        for y in range(tops[row + 1] - top):
            start = (cell * height + y) * width
            stop, right = start + width, lefts[column + 1]
            source, rounded = image[top + y, left:right], colours[top + y, left:right]
            ls, as_ = features[0, start:stop], features[1, start:stop]
            bs = features[2, start:stop]
            for x in range(right - left):
                xyz = parts[0, source[x, 0]] + parts[1, source[x, 1]] + parts[2, source[x, 2]]
                fx = root[((xyz & 0xFFFFF) + 8) >> 4]
                fy = root[((xyz >> 20 & 0xFFFFF) + 8) >> 4]
                fz = root[((xyz >> 40) + 8) >> 4]
                lightness = np.float32(116) * fy - np.float32(16)
                a, b = np.float32(500) * (fx - fy), np.float32(200) * (fy - fz)
                ls[x], as_[x], bs[x] = lightness, a, b
                rounded[x, 0] = np.uint8(lightness + np.float32(0.5))
                rounded[x, 1] = np.uint8(a + np.float32(128.5))
                rounded[x, 2] = np.uint8(b + np.float32(128.5))
    return features, colours
