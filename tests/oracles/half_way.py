"""A certainty at which a search stops on its way, not at once and not only at the end."""

import numpy as np


def half_way(certainty, kept, share=1 / 3):
    """The threshold at which images show about ``share`` of their pixels on average.

    ``certainty`` and ``kept`` (n, t) are those of every image at every tau.
    """

    def shown(threshold):
        certain = certainty >= threshold
        stop = np.where(certain.any(axis=1), certain.argmax(axis=1), -1)
        return np.take_along_axis(kept, stop[:, None], axis=1).mean()

    thresholds = np.quantile(certainty, np.linspace(0.02, 0.98, 49))
    return float(min(thresholds, key=lambda threshold: abs(shown(threshold) - share)))
