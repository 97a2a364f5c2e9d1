"""Region maps at a larger size, pixel by pixel."""

import numpy as np


def bilinear_vote(labels, size):
    """The label with the largest bilinear share at every new pixel; the first one of equals."""
    (h, w), (tall, wide) = labels.shape, size
    out = np.empty(size, labels.dtype)
    for y in range(tall):
        for x in range(wide):
            row = min(max((y + 0.5) * h / tall - 0.5, 0), h - 1)
            column = min(max((x + 0.5) * w / wide - 0.5, 0), w - 1)
            shares = {}
            for i in (int(row), int(row) + 1):
                for j in (int(column), int(column) + 1):
                    share = max(0, 1 - abs(row - i)) * max(0, 1 - abs(column - j))
                    own = labels[min(i, h - 1), min(j, w - 1)]
                    shares[own] = shares.get(own, 0) + share
            out[y, x] = max(shares, key=shares.get)
    return out
