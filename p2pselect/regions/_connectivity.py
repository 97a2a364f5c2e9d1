"""Connected components of a label map, merged until none is too small or too many.

Works on runs (maximal horizontal stretches of one label), of which there are ten times
fewer than pixels, with one union-find: runs that touch and have one label are joined into
regions, then regions below the minimum size are joined to neighbors.  The root of a region
is its first run in raster order.
"""

import numpy as np

from p2pselect.regions._compiled import compiled, kernel_part

_EPSILON = 10.0  # a difference in color that is hardly visible, squared


@compiled
def connect(
    labels: np.ndarray, colors: np.ndarray, min_size: int, max_regions: int
) -> np.ndarray:
    r"""Split labels into 4-connected regions, merge the small ones, number what is left.

    A region below the minimum size joins the neighbor with the lowest
    :math:`(\epsilon + \lVert\Delta\rVert^2) / b^2`, where :math:`\Delta` is the difference of
    their mean colors and :math:`b` the length of their common border; among equals, it joins
    the first in raster order.

    ``colors`` (h, w, 3), uint8, is the CIELAB image; if it is empty, the longest border wins.
    Only a whole image may be smaller than ``min_size``, which grows while there are more than
    ``max_regions``.  The labels (h, w), int32, are canonical.
    """
    h, w = labels.shape
    starts, rows = _find_runs(labels)
    parent, borders = _join_runs(labels, starts, rows)
    sizes, totals = _add_up(colors, starts, rows, parent, w)
    # The minimum size grows by a sixteenth, so that few rounds are needed and little is merged
    # beyond what is necessary.
    while _merge(parent, sizes, totals, borders, min_size) > max_regions:
        min_size += 1 + min_size // 16

    out = np.empty((h, w), np.int32)
    number = np.empty(len(starts), np.int32)
    found = 0
    for y in range(h):
        for run in range(rows[y], rows[y + 1]):
            root = _find(parent, run)
            if root == run:
                number[run] = found
                found += 1
            label = number[root]
            for x in range(starts[run], _stop(run, y, starts, rows, w)):
                out[y, x] = label
    return out


@kernel_part
def _find(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel_part
def _stop(run: int, y: int, starts: np.ndarray, rows: np.ndarray, w: int) -> int:
    """One past the last column of a run."""
    return starts[run + 1] if run + 1 < rows[y + 1] else w


@kernel_part
def _find_runs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First column of every run, and the first run of every row."""
    h, w = labels.shape
    starts = np.empty(h * w + 1, np.int32)
    rows = np.empty(h + 1, np.int32)
    n = 0
    for y in range(h):
        rows[y] = n
        starts[n] = 0
        n += 1
        for x in range(1, w):
            starts[n] = x  # kept only where the label changes: no branch to mispredict
            n += labels[y, x] != labels[y, x - 1]
    rows[h] = n
    return starts[:n], rows


@kernel_part
def _join_runs(
    labels: np.ndarray, starts: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Union-find of the runs, and the borders: (run, run with another label, pixels)."""
    h, w = labels.shape
    n = len(starts)
    parent = np.empty(n, np.int32)
    for run in range(n):
        parent[run] = run
    # Fewer than n borders within rows, and at most 2 n between rows: every step passes a run.
    borders = np.empty((3 * n, 3), np.int32)
    m = 0
    for y in range(h):
        for run in range(rows[y] + 1, rows[y + 1]):
            borders[m, 0], borders[m, 1], borders[m, 2] = run - 1, run, 1
            m += 1
        if y == 0:
            continue
        above, below = rows[y - 1], rows[y]
        while below < rows[y + 1]:
            above_stop = _stop(above, y - 1, starts, rows, w)
            below_stop = _stop(below, y, starts, rows, w)
            if labels[y - 1, starts[above]] == labels[y, starts[below]]:
                i, j = _find(parent, above), _find(parent, below)
                parent[max(i, j)] = min(i, j)  # so the root is the first run in raster order
            else:
                overlap = min(above_stop, below_stop) - max(starts[above], starts[below])
                borders[m, 0], borders[m, 1], borders[m, 2] = above, below, overlap
                m += 1
            above += above_stop <= below_stop
            below += below_stop <= above_stop
    return parent, borders[:m]


@kernel_part
def _add_up(
    colors: np.ndarray, starts: np.ndarray, rows: np.ndarray, parent: np.ndarray, w: int
) -> tuple[np.ndarray, np.ndarray]:
    """Size and sum of the colors of every region, at its root."""
    sizes = np.zeros(len(starts), np.int32)
    totals = np.zeros((len(starts), 3))
    for y in range(len(rows) - 1):
        for run in range(rows[y], rows[y + 1]):
            root = _find(parent, run)
            stop = _stop(run, y, starts, rows, w)
            sizes[root] += stop - starts[run]
            if colors.size:
                # Sums of integers are exact, so they do not depend on the order of the runs.
                lightness, a, b = 0, 0, 0
                for x in range(starts[run], stop):
                    lightness += int(colors[y, x, 0])
                    a += int(colors[y, x, 1])
                    b += int(colors[y, x, 2])
                totals[root, 0] += lightness
                totals[root, 1] += a
                totals[root, 2] += b
    return sizes, totals


@kernel_part
def _merge(
    parent: np.ndarray,
    sizes: np.ndarray,
    totals: np.ndarray,
    borders: np.ndarray,
    min_size: int,
) -> int:
    """Merge every region below the minimum size, in place; returns how many remain.

    In rounds: every small region joins a neighbor, unless one has joined it before its
    turn; so a round at least halves their number.
    """
    n = len(parent)
    live = borders.copy()
    n_live = len(borders)
    first = np.empty(n, np.int32)
    following = np.empty((len(borders), 2), np.int32)
    shared = np.zeros(n, np.int32)
    while True:
        count = 0
        for i in range(n):
            parent[i] = parent[parent[i]]  # all roots, as no parent comes after its child
            count += parent[i] == i
            first[i] = -1
        # Keep the borders of small regions, without a branch to mispredict ...
        kept = 0
        for e in range(n_live):
            a, b = parent[live[e, 0]], parent[live[e, 1]]
            live[kept, 0], live[kept, 1], live[kept, 2] = a, b, live[e, 2]
            kept += (a != b) & ((sizes[a] < min_size) | (sizes[b] < min_size))
        n_live = kept
        if n_live == 0:
            return count
        # ... and link those of every region; 2 * border + side is a border seen from a side.
        for e in range(n_live):
            a, b = live[e, 0], live[e, 1]
            following[e, 0], first[a] = first[a], 2 * e
            following[e, 1], first[b] = first[b], 2 * e + 1
        for i in range(n):
            if first[i] < 0 or sizes[i] >= min_size:
                continue
            e = first[i]
            while e >= 0:
                shared[live[e >> 1, 1 - (e & 1)]] += live[e >> 1, 2]
                e = following[e >> 1, e & 1]
            best, least = i, np.inf
            e = first[i]
            while e >= 0:
                j = live[e >> 1, 1 - (e & 1)]
                if shared[j] > 0:
                    other = _find(parent, j)
                    cost = _EPSILON
                    for c in range(3):
                        difference = totals[i, c] / sizes[i] - totals[other, c] / sizes[other]
                        cost += difference * difference
                    cost /= np.float64(shared[j]) * shared[j]
                    if cost < least or (cost == least and other < best):
                        best, least = other, cost
                    shared[j] = 0
                e = following[e >> 1, e & 1]
            first[i] = first[best] = -1  # both have had their turn in this round
            a, b = min(i, best), max(i, best)
            parent[b] = a
            sizes[a] += sizes[b]
            for c in range(3):
                totals[a, c] += totals[b, c]
