r"""SLIC superpixels, compiled.

Local k-means in colour and position [1]_ under
:math:`d^2 = \lVert\Delta_{Lab}\rVert^2 + (m / S)^2 \lVert\Delta_{xy}\rVert^2`, with ``m``
the compactness and ``S`` the side of a grid cell.  A pixel chooses among the centres of
its own grid cell and the eight around it, so pixels are stored cell by cell and all nine
distances are computed in one pass.  Every iteration looks at one third of the pixels (every
third diagonal, in turn); the last assignment looks at all.  Nothing outlives a call: the
labels of an image depend on that image alone.

References
----------
.. [1] Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods",
   TPAMI 2012.
"""

from math import ceil, sqrt

import numba
import numpy as np

from p2pselect.regions.compiled import compiled
from p2pselect.regions.connectivity import connect

_BLOCK = 512  # pixels whose sums are kept in single precision before they are added up
_LANES = 16  # cells are padded to whole vectors
_THIRDS_FROM = 8  # smallest side of a cell whose every third diagonal has the cell's centroid


def slic(
    image: np.ndarray,
    n_segments: int = 100,
    compactness: float = 14.0,
    n_iter: int = 10,
    min_size_factor: float = 0.25,
) -> np.ndarray:
    """Superpixels of one image.

    Parameters
    ----------
    image : ndarray of shape (h, w, c), uint8
        One channel is grey, three are RGB (compared in CIELAB); with any other number the
        first three principal components are compared.
    n_segments : int, default=100
        Regions asked for; what comes is between a few less and ``1.5`` times as many.
    compactness : float, default=14.0
        Weight of position against colour, on the scale of Achanta et al. and scikit-image.
        fast-slic measures position in Manhattan distance: its 20, the setting of the P2P
        paper, gives the contour density of 14 here.
    n_iter : int, default=10
        Iterations of k-means.
    min_size_factor : float, default=0.25
        Smallest region as a fraction of the mean region ``h * w / n_segments``.

    Returns
    -------
    ndarray of shape (h, w), int32
        Labels ``0 .. d - 1`` in raster order of first appearance, each 4-connected.

    Examples
    --------
    >>> import numpy as np
    >>> slic(np.zeros((4, 6, 3), np.uint8), n_segments=6)
    array([[0, 0, 1, 1, 2, 2],
           [0, 0, 1, 1, 2, 2],
           [3, 3, 4, 4, 5, 5],
           [3, 3, 4, 4, 5, 5]], dtype=int32)
    """
    h, w = image.shape[:2]
    rows, columns = grid_shape(h, w, n_segments)
    spacing = sqrt(h * w / (rows * columns))
    stride = 3 if min(h // rows, w // columns) >= _THIRDS_FROM else 1
    labels = _cluster(_features(image), rows, columns, compactness / spacing, n_iter, stride)
    return connect(labels, min_size(h, w, n_segments, min_size_factor), max_regions(n_segments))


def grid_shape(h: int, w: int, n_segments: int) -> tuple[int, int]:
    """Rows and columns of nearly square cells that number as close to n_segments as can be."""
    ideal = sqrt(n_segments * h / w)
    shapes = []
    for rows in {min(max(int(ideal), 1), h), min(max(ceil(ideal), 1), h)}:
        columns = min(max(round(n_segments / rows), 1), w)
        shapes.append((abs(rows * columns - n_segments), abs(rows - ideal), rows, columns))
    return min(shapes)[2:]


def min_size(h: int, w: int, n_segments: int, factor: float) -> int:
    """Fewest pixels of a region."""
    return max(1, int(factor * h * w / n_segments))


def max_regions(n_segments: int) -> int:
    """Most regions of an image, whatever it shows."""
    return ceil(1.5 * n_segments)


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


def _features(image: np.ndarray) -> np.ndarray:
    """Three colour coordinates per pixel, float32 (h, w, 3), on the scale of CIELAB."""
    h, w, channels = image.shape
    if channels == 1:
        image = np.repeat(image, 3, axis=2)
    if channels in (1, 3):
        return _lab(image, _XYZ_PARTS, _ROOT)
    # Integer sums, so that the components do not depend on the order of summation.
    flat = image.reshape(-1, channels).astype(np.int64)
    total = flat.sum(axis=0)
    covariance = len(flat) * (flat.T @ flat) - np.outer(total, total)
    axes = np.linalg.eigh(covariance.astype(float))[1][:, ::-1][:, :3] * (100 / 255)
    out = np.zeros((h * w, 3), np.float32)
    for k in range(axes.shape[1]):
        for channel in range(channels):
            out[:, k] += (flat[:, channel] * axes[channel, k]).astype(np.float32)
    return out.reshape(h, w, 3)


@compiled
def _lab(image, parts, root):
    h, w = image.shape[:2]
    out = np.empty((h, w, 3), np.float32)
    for y in range(h):
        for x in range(w):
            xyz = parts[0, image[y, x, 0]] + parts[1, image[y, x, 1]] + parts[2, image[y, x, 2]]
            fx = root[((xyz & 0xFFFFF) + 8) >> 4]
            fy = root[((xyz >> 20 & 0xFFFFF) + 8) >> 4]
            fz = root[((xyz >> 40) + 8) >> 4]
            out[y, x, 0] = np.float32(116) * fy - np.float32(16)
            out[y, x, 1] = np.float32(500) * (fx - fy)
            out[y, x, 2] = np.float32(200) * (fy - fz)
    return out


@compiled
def _cluster(features, rows, columns, weight, n_iter, stride):
    """Number of the nearest centre of every pixel, int32 (h, w).

    ``weight`` is m / S.  The pixels of a cell are kept as ``stride`` parts, part ``q`` being
    the diagonals ``(x + y) % stride == q``.
    """
    h, w = features.shape[:2]
    n_cells = rows * columns
    # A pixel is (x, y, L, a, b), with x and y relative to the middle of its cell, weighted.
    pixels = np.empty((5, h * w + n_cells * stride * _LANES), np.float32)
    parts = np.empty((n_cells * stride + 1, 2), np.int64)
    centres = np.empty((n_cells, 5))
    n = longest = 0
    for cell in range(n_cells):
        y0, y1, x0, x1, middle_y, middle_x = _bounds(cell, rows, columns, h, w)
        centres[cell, 0], centres[cell, 1] = weight * middle_x, weight * middle_y
        centres[cell, 2:] = 0
        for q in range(stride):
            start = n
            skip = (q - x0 - y0) % stride
            for y in range(y0, y1):
                for x in range(x0 + skip, x1, stride):
                    pixels[0, n] = weight * (x - middle_x)
                    pixels[1, n] = weight * (y - middle_y)
                    for c in range(3):
                        pixels[2 + c, n] = features[y, x, c]
                        centres[cell, 2 + c] += features[y, x, c]
                    n += 1
                skip = skip - 1 if skip > 0 else stride - 1
            parts[cell * stride + q] = start, n
            stop = n + -n % _LANES
            pixels[:, n:stop] = 0
            longest = max(longest, stop - start)
            n = stop
        centres[cell, 2:] /= (y1 - y0) * (x1 - x0)

    near = np.empty(9, np.int64)
    planes = np.empty((9, 6), np.float32)
    choice = np.empty(longest, np.int32)
    sums = np.empty((n_cells, 6))
    own_sums = np.empty((9, 6))
    for iteration in range(n_iter):
        sums[:] = 0
        for cell in range(n_cells):
            y0, y1, x0, x1, middle_y, middle_x = _bounds(cell, rows, columns, h, w)
            _candidates(
                cell, rows, columns, weight * middle_y, weight * middle_x, centres, near, planes
            )
            start, stop = parts[cell * stride + iteration % stride]
            _nearest(pixels, start, stop, planes, choice)
            own_sums[:] = 0
            for i in range(start, stop):
                k = choice[i - start]
                for c in range(5):
                    own_sums[k, c] += pixels[c, i]
                own_sums[k, 5] += 1
            for k in range(9):
                if own_sums[k, 5] > 0:
                    own_sums[k, 0] += own_sums[k, 5] * weight * middle_x
                    own_sums[k, 1] += own_sums[k, 5] * weight * middle_y
                    for c in range(6):
                        sums[near[k], c] += own_sums[k, c]
        for cell in range(n_cells):
            if sums[cell, 5] > 0:
                for c in range(5):
                    centres[cell, c] = sums[cell, c] / sums[cell, 5]

    out = np.empty((h, w), np.int32)
    for cell in range(n_cells):
        y0, y1, x0, x1, middle_y, middle_x = _bounds(cell, rows, columns, h, w)
        _candidates(
            cell, rows, columns, weight * middle_y, weight * middle_x, centres, near, planes
        )
        for q in range(stride):
            start, stop = parts[cell * stride + q]
            _nearest(pixels, start, stop, planes, choice)
            i = 0
            skip = (q - x0 - y0) % stride
            for y in range(y0, y1):
                for x in range(x0 + skip, x1, stride):
                    out[y, x] = near[choice[i]]
                    i += 1
                skip = skip - 1 if skip > 0 else stride - 1
    return out


@numba.njit
def _bounds(cell, rows, columns, h, w):
    """Rows, columns and middle of a cell."""
    row, column = divmod(cell, columns)
    y0, y1 = row * h // rows, (row + 1) * h // rows
    x0, x1 = column * w // columns, (column + 1) * w // columns
    return y0, y1, x0, x1, 0.5 * (y0 + y1 - 1), 0.5 * (x0 + x1 - 1)


@numba.njit
def _candidates(cell, rows, columns, origin_y, origin_x, centres, near, planes):
    r"""Write the centres around a cell, and their squared distances as planes.

    The squared distance of pixel p to centre c, less :math:`\lVert p \rVert^2` which all
    share, is linear in p: :math:`\lVert c \rVert^2 - 2 c \cdot p`.
    """
    row, column = divmod(cell, columns)
    for k in range(9):
        r, c = row + k // 3 - 1, column + k % 3 - 1
        if 0 <= r < rows and 0 <= c < columns:
            near[k] = r * columns + c
            centre = centres[near[k]]
            x, y = centre[0] - origin_x, centre[1] - origin_y
            planes[k, 0], planes[k, 1] = -2 * x, -2 * y
            norm = x * x + y * y
            for i in range(2, 5):
                planes[k, i] = -2 * centre[i]
                norm += centre[i] * centre[i]
            planes[k, 5] = norm
        else:
            near[k] = cell
            planes[k, :5] = 0
            planes[k, 5] = np.inf


@numba.njit
def _nearest(pixels, start, stop, planes, choice):
    """Which of the nine planes is lowest at every pixel; rounds up to whole vectors."""
    n = stop - start + (start - stop) % _LANES
    xs, ys = pixels[0, start : start + n], pixels[1, start : start + n]
    ls, as_ = pixels[2, start : start + n], pixels[3, start : start + n]
    bs = pixels[4, start : start + n]
    for i in range(n):
        x, y, lightness, a, b = xs[i], ys[i], ls[i], as_[i], bs[i]
        least, best = np.float32(np.inf), np.int32(0)
        for k in range(9):  # unrolled by the compiler, and the loop around it vectorised
            d = planes[k, 0] * x + planes[k, 1] * y + planes[k, 2] * lightness
            d += planes[k, 3] * a + planes[k, 4] * b + planes[k, 5]
            if d < least:
                least = d
                best = np.int32(k)
        choice[i] = best
