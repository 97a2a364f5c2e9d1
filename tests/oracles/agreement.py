"""What selections have in common, region by region and pixel by pixel."""

import math


def first_regions(regions, scores, area):
    """The set of pixels of the best regions that fit into a share of the image."""
    pixels = {}
    for y, row in enumerate(regions):
        for x, label in enumerate(row):
            pixels.setdefault(int(label), set()).add((y, x))
    best = sorted((label for label in pixels if label >= 0), key=lambda each: -scores[each])
    shown = set(pixels[best[0]])
    for label in best[1:]:
        if len(shown) + len(pixels[label]) > area * regions.size + 1e-6:
            break
        shown |= pixels[label]
    return shown


def iou(a, b):
    return len(a & b) / len(a | b)


def spearman(a, b):
    """Correlation of ranks; equal values have the mean of the places that they take."""

    def ranks(values):
        return [
            sum(other < own for other in values) + (sum(o == own for o in values) + 1) / 2
            for own in values
        ]

    a, b = ranks(list(a)), ranks(list(b))
    mean = (len(a) + 1) / 2
    products = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    spreads = [sum((x - mean) ** 2 for x in each) for each in (a, b)]
    return products / math.sqrt(spreads[0] * spreads[1]) if all(spreads) else math.nan
