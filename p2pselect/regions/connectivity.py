"""Connected components of a label map, merged until none is too small or too many.

Works on runs (maximal horizontal stretches of one label), of which there are ten times
fewer than pixels: union-find over the runs gives the components, a second one over the
components merges those below the minimum size.
"""

import numba
import numpy as np

from p2pselect.regions.compiled import compiled


@compiled
def connect(labels, min_size, max_regions):
    """Split labels into 4-connected regions, merge the small ones, number what is left.

    A region below the minimum size joins the neighbour with which it shares the longest
    border (the first in raster order among equals).

    Parameters
    ----------
    labels : ndarray of shape (h, w), integer
        Any label map; equal labels need not touch.
    min_size : int
        Fewest pixels of a region; only a whole image may be smaller.
    max_regions : int
        Most regions; while there are more, the minimum size grows.

    Returns
    -------
    ndarray of shape (h, w), int32
        Labels ``0 .. d - 1`` in raster order of first appearance, each 4-connected.
    """
    starts, rows = _find_runs(labels)
    owner, sizes, borders = _find_components(labels, starts, rows)
    parent = np.arange(len(sizes))
    count = len(sizes)
    while True:
        count = _merge(parent, sizes, borders, count, min_size)
        if count <= max(max_regions, 1):
            break
        min_size += 1 + min_size // 16

    out = np.empty(labels.shape, np.int32)
    number = np.full(len(sizes), -1, np.int32)
    found = 0
    for y in range(labels.shape[0]):
        for run in range(rows[y], rows[y + 1]):
            root = _find(parent, owner[run])
            if number[root] < 0:
                number[root] = found
                found += 1
            stop = starts[run + 1] if run + 1 < rows[y + 1] else labels.shape[1]
            out[y, starts[run] : stop] = number[root]
    return out


@numba.njit
def _find(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit
def _find_runs(labels):
    """First column of every run, and the first run of every row."""
    h, w = labels.shape
    starts = np.empty(h * w + 1, np.int32)
    rows = np.empty(h + 1, np.int64)
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


@numba.njit
def _find_components(labels, starts, rows):
    """Component of every run in raster order, component sizes, and their borders.

    A border is (component, component, pixels); one pair may have several.
    """
    h, w = labels.shape
    n = len(starts)
    parent = np.arange(n)
    touching = np.empty((3 * n, 3), np.int32)
    m = 0
    for y in range(h):
        for run in range(rows[y] + 1, rows[y + 1]):
            touching[m, 0], touching[m, 1], touching[m, 2] = run - 1, run, 1
            m += 1
        above, below = rows[max(y - 1, 0)], rows[y]
        while above < rows[y] and below < rows[y + 1]:
            above_stop = starts[above + 1] if above + 1 < rows[y] else w
            below_stop = starts[below + 1] if below + 1 < rows[y + 1] else w
            if labels[y - 1, starts[above]] == labels[y, starts[below]]:
                i, j = _find(parent, above), _find(parent, below)
                parent[max(i, j)] = min(i, j)  # so that roots come first in raster order
            else:
                touching[m, 0], touching[m, 1] = above, below
                overlap = min(above_stop, below_stop) - max(starts[above], starts[below])
                touching[m, 2] = overlap
                m += 1
            if above_stop <= below_stop:
                above += 1
            if below_stop <= above_stop:
                below += 1

    owner = np.empty(n, np.int32)
    sizes = np.zeros(n, np.int64)
    count = 0
    for y in range(h):
        for run in range(rows[y], rows[y + 1]):
            if parent[run] == run:
                owner[run] = count
                count += 1
            else:
                owner[run] = owner[parent[run]]
            stop = starts[run + 1] if run + 1 < rows[y + 1] else w
            sizes[owner[run]] += stop - starts[run]
    for i in range(m):
        touching[i, 0] = owner[touching[i, 0]]
        touching[i, 1] = owner[touching[i, 1]]
    return owner, sizes[:count], touching[:m]


@numba.njit
def _merge(parent, sizes, borders, count, min_size):
    """Merge every component below ``min_size`` in place; returns how many remain.

    In rounds: every component that is small at the start of a round, and still is at its
    turn, joins a neighbour; so a round at least halves the number of small ones.
    """
    n = len(parent)
    live = borders.copy()
    n_live = len(borders)
    shared = np.zeros(n, np.int64)
    first = np.empty(n + 1, np.int64)
    while True:
        # Keep the borders of small components, and count them per component.
        first[:] = 0
        kept = 0
        for e in range(n_live):
            a, b = _find(parent, live[e, 0]), _find(parent, live[e, 1])
            small_a, small_b = sizes[a] < min_size, sizes[b] < min_size
            if a != b and (small_a or small_b):
                live[kept, 0], live[kept, 1], live[kept, 2] = a, b, live[e, 2]
                kept += 1
                first[a] += small_a
                first[b] += small_b
        n_live = kept
        if n_live == 0:
            return count
        # Group them by component (a counting sort).
        for i in range(n):
            first[i + 1] += first[i]
        total = first[n]
        neighbour = np.empty((total, 2), np.int32)
        for e in range(n_live):
            for side in range(2):
                i, j = live[e, side], live[e, 1 - side]
                if sizes[i] < min_size:
                    first[i] -= 1
                    neighbour[first[i], 0], neighbour[first[i], 1] = j, live[e, 2]
        for i in range(n):
            if first[i] == first[i + 1] or sizes[_find(parent, i)] >= min_size:
                continue
            best = neighbour[first[i], 0]
            for k in range(first[i], first[i + 1]):
                j = neighbour[k, 0]
                shared[j] += neighbour[k, 1]
                if shared[j] > shared[best] or (shared[j] == shared[best] and j < best):
                    best = j
            for k in range(first[i], first[i + 1]):
                shared[neighbour[k, 0]] = 0
            a, b = _find(parent, i), _find(parent, best)
            if a != b:
                parent[max(a, b)] = min(a, b)
                sizes[min(a, b)] = sizes[a] + sizes[b]
                count -= 1
