"""Which regions are chosen together: the learned correlation, with the regions themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._display import ExplanationDisplay
from p2pselect.explanations.figures._pixels import region_crop


@dataclass(eq=False)
class RegionCorrelationDisplay(ExplanationDisplay):
    """Learned correlation of one image's most probable regions, pictured on both sides.

    Parameters
    ----------
    correlation : ndarray of shape (m, m)
        In [-1, 1].
    thumbnails : ndarray of shape (m, s, s, 3), uint8
    kept : ndarray of shape (m,), bool
        Which of the regions the classifier saw.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=1).explanation
    >>> display = RegionCorrelationDisplay.from_explanation(exp, n_regions=5)
    >>> display.correlation.shape
    (5, 5)
    """

    correlation: np.ndarray
    thumbnails: np.ndarray
    kept: np.ndarray

    size: ClassVar[tuple[float, float]] = (6.4, 5.6)

    @classmethod
    def from_explanation(
        cls, exp: ExplanationArrays, image: int = 0, *, n_regions: int = 12, ax: Any = None
    ) -> Self:
        """Take one image's covariance and draw it as correlations.

        Parameters
        ----------
        exp : Explanation
            With region embeddings.
        image : int, default=0
        n_regions : int, default=12
            So many regions of the highest score are shown.
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        RegionCorrelationDisplay

        Raises
        ------
        InputError
            If the explanation has no region embeddings.
        """
        exp = exp[image]
        first = exp.ranking[0][: min(n_regions, int(exp.n_regions[0]))]
        covariance = exp.covariance(0)[np.ix_(first, first)]
        # A region without variance is uncorrelated with all others, and itself with itself.
        scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
        correlation = covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 1)
        crops = [region_crop(exp, 0, int(region)) for region in first]
        return cls(correlation, np.stack(crops), exp.region_masks[0, first]).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the matrix with the regions along its left and top sides.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        self
        """
        from p2pselect.explanations.figures._figure import bare

        ax = self._start(ax)
        m = len(self.correlation)
        picture = ax.imshow(self.correlation, cmap="PuOr_r", vmin=-1, vmax=1)
        for i, crop in enumerate(self.thumbnails):
            for extent in (
                (-1.55, -0.6, i + 0.475, i - 0.475),
                (i - 0.475, i + 0.475, -0.6, -1.55),
            ):
                ax.imshow(crop, extent=extent, interpolation="nearest", aspect="equal")
        title = "Regions chosen together"
        n_kept = int(self.kept.sum())
        if self.kept[:n_kept].all() and 0 < n_kept < m:
            edge = n_kept - 0.5
            ax.plot([-0.5, edge, edge], [edge, edge, -0.5], color="black", lw=2)
            title += " (inside the line: kept)"
        ax.set(xlim=(-1.6, m - 0.5), ylim=(m - 0.5, -1.6))
        bare(ax)
        ax.set_title(title, fontsize=12)
        bar = ax.figure.colorbar(picture, ax=ax, fraction=0.045, pad=0.02, ticks=[-1, 0, 1])
        bar.set_label("learned correlation")
        bar.outline.set_visible(False)
        return self
