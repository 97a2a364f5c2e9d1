"""The paper's figures from results in long form and from stored explanations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect.explanations._explanation import Explanation
from p2pselect.explanations.figures._images import (
    plot_embedding,
    plot_masked_image,
    plot_regions,
)
from p2pselect.explanations.figures._panels import plot_page
from p2pselect.explanations.figures._pixels import BLUE, ORANGE
from p2pselect.reproduction._cells import DEFAULT, Cell
from p2pselect.reproduction._measure import FIXED, at_tau
from p2pselect.reproduction._records import Records
from p2pselect.reproduction._results import LABELS, Entry, Results, threshold_of
from p2pselect.reproduction._tally import GRID, curve_point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Not trained on masked images, so that their curves measure how odd a masked image is.
_NOT_MASKED = ("blackbox", "bcos")
_LINES = ("-", "--", "-.", ":")
_EMBEDDED = 4


def curve_figure(results: Results, dataset: str, curve: str) -> Figure | None:
    """Insertion or deletion fidelity of all methods (figures 3, 6 and 7).

    Parameters
    ----------
    results : Results
    dataset : str
    curve : {"insertion", "deletion"}

    Returns
    -------
    matplotlib.figure.Figure or None
        Means with bands of one standard deviation over the seeds; None without results.
    """
    lines = [(m, DEFAULT, LABELS.get(m, m)) for m in results.methods(dataset)]
    lines = [line for line in lines if line[0] not in _NOT_MASKED]
    lines.append(("p2p", FIXED, "P2P, fixed τ"))
    drawn = [(line, _points(results, dataset, *line[:2], curve)) for line in lines]
    drawn = [(line, points) for line, points in drawn if points]
    if not drawn:
        return None
    figure, ax = _new(7.2, 4.6)
    for number, ((method, setting, label), points) in enumerate(drawn):
        means = np.array([point.mean for point in points])
        sds = np.array([point.sd or 0 for point in points])
        own = method == "p2p"
        style: dict[str, Any] = {
            "lw": 1.4,
            "ls": _LINES[number // 9],
            "color": f"C{1 + number % 9}",
        }
        if own:
            style = {"lw": 2.6, "color": BLUE, "ls": "-" if setting == DEFAULT else "--"}
        ax.plot(GRID, means, label=label, zorder=3 if own else 2, **style)
        ax.fill_between(GRID, means - sds, means + sds, color=style["color"], alpha=0.15, lw=0)
    better = "higher" if curve == "insertion" else "lower"
    ax.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="predictions unchanged")
    ax.set_xlabel(
        f"pixels {'added' if curve == 'insertion' else 'removed'}, share of the image"
    )
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return _done(figure, f"{curve.title()} fidelity on {dataset} ({better} is better)")


def _points(
    results: Results, dataset: str, method: str, setting: str, curve: str
) -> list[Entry]:
    points = [results.entry(dataset, method, setting, curve_point(curve, t)) for t in GRID]
    return [point for point in points if point is not None]


def _sweep(results: Results, dataset: str, prefix: str, metric: str) -> list[Entry]:
    settings = [s for s in results.settings(dataset, "p2p") if s.startswith("delta=")]
    found = [results.entry(dataset, "p2p", prefix + s, metric) for s in settings]
    return [entry for entry in found if entry is not None]


def fixed_figure(results: Results, dataset: str) -> Figure | None:
    """A tau for each image against one tau for all, at the same mean area (figure 4).

    Parameters
    ----------
    results : Results
    dataset : str

    Returns
    -------
    matplotlib.figure.Figure or None
    """
    if not _sweep(results, dataset, f"{FIXED}-", "accuracy"):
        return None
    metrics = ["accuracy", "localization"]
    metrics = [m for m in metrics if _sweep(results, dataset, "", m)]
    figure, axes = _new(4.2 * len(metrics), 3.8, len(metrics))
    for ax, metric in zip(np.atleast_1d(axes), metrics, strict=True):
        for prefix, label, colour, sign in (
            ("", "τ of each image", BLUE, "o-"),
            (f"{FIXED}-", "one τ for all", ORANGE, "s--"),
        ):
            kept = _sweep(results, dataset, prefix, "kept_fraction")
            values = _sweep(results, dataset, prefix, metric)
            _draw(ax, [k.mean for k in kept], values, sign, label, colour)
        strong = results.entry(dataset, "p2p", at_tau(0.2), metric)
        at = results.entry(dataset, "p2p", at_tau(0.2), "kept_fraction")
        if strong and at:
            _draw(ax, [at.mean], [strong], "^", "τ = 0.20", "grey")
        ax.set(xlabel="mean share of the pixels kept", ylabel=metric)
    np.atleast_1d(axes)[0].legend(frameon=False)
    return _done(figure, f"Dynamic and fixed τ on {dataset}, bars: one sd over the seeds")


def threshold_figure(results: Results, dataset: str) -> Figure | None:
    """Accuracy, kept fraction and localization along the certainty threshold (table 4).

    Parameters
    ----------
    results : Results
    dataset : str

    Returns
    -------
    matplotlib.figure.Figure or None
    """
    settings = [s for s in results.settings(dataset, "p2p") if s.startswith("delta=")]
    if len(settings) < 2:
        return None
    figure, ax = _new(5.2, 3.8)
    for metric, label, colour, sign in (
        ("accuracy", "accuracy", BLUE, "o-"),
        ("localization", "localization", ORANGE, "s-"),
        ("kept_fraction", "kept", "grey", "^-"),
    ):
        values = _sweep(results, dataset, "", metric)
        if len(values) == len(settings):
            _draw(ax, [threshold_of(s) for s in settings], values, sign, label, colour)
    ax.set(ylim=(0, 1.02), xlabel="certainty threshold δ")
    ax.legend(frameon=False)
    return _done(figure, f"P2P at several certainty thresholds on {dataset}")


def _draw(
    ax: Axes, x: list[float], values: list[Entry], sign: str, label: str, colour: str
) -> None:
    means, sds = [v.mean for v in values], [v.sd or 0 for v in values]
    ax.errorbar(x, means, yerr=sds, fmt=sign, label=label, color=colour, capsize=2)


def examples(
    records: Records, cell: Cell
) -> tuple[Explanation, np.ndarray, np.ndarray | None] | None:
    """Stored explanations of a few random test images, their labels and object masks."""
    path = records.example_path(cell)
    if not path.is_file():
        return None
    with np.load(records.truth_path(cell)) as truth:
        masks = truth["masks"] if "masks" in truth.files else None
        return Explanation.load(path), truth["target"], masks


def random_page(records: Records, cell: Cell) -> Figure | None:
    """Randomly chosen test images, each beside what was seen of it (figures 9 to 14).

    Parameters
    ----------
    records : Records
    cell : Cell

    Returns
    -------
    matplotlib.figure.Figure or None
    """
    stored = examples(records, cell)
    if stored is None:
        return None
    exp, target, masks = stored
    figure = plot_page(exp, target, n_images=len(exp), object_masks=masks)
    figure.set_label(f"Random test images of {cell.dataset}, seed {cell.seed}")
    return figure


def embedding_figure(records: Records, cell: Cell) -> Figure | None:
    """Regions, what was seen, and region embeddings as colours (figure 8).

    Parameters
    ----------
    records : Records
    cell : Cell

    Returns
    -------
    matplotlib.figure.Figure or None
    """
    stored = examples(records, cell)
    if stored is None or stored[0].region_embeddings is None:
        return None
    exp = stored[0][:_EMBEDDED]
    figure, axes = _new(8.4, 2.9 * len(exp), 3, len(exp))
    for image, row in enumerate(np.atleast_2d(axes)):
        for draw, ax in zip(
            (plot_regions, plot_masked_image, plot_embedding), row, strict=True
        ):
            draw(exp, image, ax=ax)
    return _done(figure, f"Region embeddings as colours, random images of {cell.dataset}")


def methods_page(records: Records, cells: list[Cell]) -> Figure | None:
    """The same random images as every method shows them to its classifier (figure 5).

    Parameters
    ----------
    records : Records
    cells : list of Cell
        Of one data set and seed.

    Returns
    -------
    matplotlib.figure.Figure or None
    """
    stored = [(cell, examples(records, cell)) for cell in cells]
    there = [(cell, found[0][:_EMBEDDED]) for cell, found in stored if found is not None]
    if not there:
        return None
    n = min(len(exp) for _, exp in there)
    figure, axes = _new(1.5 * (len(there) + 1), 1.75 * n, len(there) + 1, n)
    for image, row in enumerate(np.reshape(axes, (n, len(there) + 1))):
        row[0].imshow(there[0][1].images[image])
        row[0].set_title("image", fontsize=8)
        for ax, (cell, exp) in zip(row[1:], there, strict=True):
            plot_masked_image(exp, image, ax=ax)
            ax.set_title(LABELS.get(cell.method, cell.method), fontsize=8)
        for ax in row:
            ax.set_axis_off()
    return _done(figure, f"What the classifiers saw: random images of {cells[0].dataset}")


def figures(results: Results, records: Records) -> Iterator[tuple[str, Figure]]:
    """Name and figure of everything that there are results for.

    Parameters
    ----------
    results : Results
    records : Records

    Yields
    ------
    name : str
    figure : matplotlib.figure.Figure
    """
    for dataset in results.datasets:
        seeds = sorted(results.by_seed(dataset, "p2p", DEFAULT, "accuracy"))
        made = {
            "insertion": curve_figure(results, dataset, "insertion"),
            "deletion": curve_figure(results, dataset, "deletion"),
            "fixed": fixed_figure(results, dataset),
            "thresholds": threshold_figure(results, dataset),
        }
        if seeds:
            methods = results.methods(dataset)
            cells = [Cell(dataset, method, DEFAULT, seeds[0]) for method in methods]
            p2p = Cell(dataset, "p2p", DEFAULT, seeds[0])
            made["random_images"] = random_page(records, p2p)
            made["embeddings"] = embedding_figure(records, p2p)
            made["methods"] = methods_page(records, cells)
        for name, figure in made.items():
            if figure is not None:
                yield f"{dataset}.{name}", figure


def _new(width: float, height: float, columns: int = 1, rows: int = 1) -> tuple[Figure, Any]:
    from p2pselect.explanations.figures._figure import new_figure

    figure = new_figure(width, height)
    axes = figure.subplots(rows, columns)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _done(figure: Figure, title: str) -> Figure:
    figure.suptitle(title, fontsize=11)
    figure.set_label(title)
    return figure
