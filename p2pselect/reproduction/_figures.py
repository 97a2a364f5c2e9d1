"""The paper's figures from results in long form and from stored explanations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect.explanations.figures._axes import new_figure
from p2pselect.explanations.figures._pixels import BLUE, ORANGE
from p2pselect.explanations.figures._plots import (
    plot_embedding,
    plot_masked_image,
    plot_page,
    plot_regions,
)
from p2pselect.reproduction._measure import GRID
from p2pselect.reproduction._run_store import RunStore, read_examples
from p2pselect.reproduction._score_names import (
    FIXED,
    STRONG_TAU,
    at_tau,
    curve_point,
    threshold_of,
)
from p2pselect.reproduction._scores import Entry, Results, label
from p2pselect.reproduction._suite import DEFAULT, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Not trained on masked images: their curves would measure how odd a masked image is.
_NOT_MASKED = ("blackbox", "bcos")
_LINE_STYLES = ("-", "--", "-.", ":")
_N_EMBEDDED = 4


def figures(results: Results, store: RunStore) -> Iterator[tuple[str, Figure]]:
    """Name and figure of everything that there are results for."""
    for dataset in results.datasets:
        made = {
            "insertion": curve_figure(results, dataset, "insertion"),
            "deletion": curve_figure(results, dataset, "deletion"),
            "fixed": fixed_figure(results, dataset),
            "thresholds": threshold_figure(results, dataset),
        }
        seeds = sorted(results.by_seed(dataset, "p2p", DEFAULT, "accuracy"))
        if seeds:
            methods = results.methods(dataset)
            trials = [Trial(dataset, method, DEFAULT, seeds[0]) for method in methods]
            p2p = Trial(dataset, "p2p", DEFAULT, seeds[0])
            made["random_images"] = random_page(store, p2p)
            made["embeddings"] = embedding_figure(store, p2p)
            made["methods"] = methods_page(store, trials)
        for name, figure in made.items():
            if figure is not None:
                yield f"{dataset}.{name}", figure


def curve_figure(results: Results, dataset: str, curve: str) -> Figure | None:
    """Insertion or deletion fidelity of all methods (figures 3, 6 and 7).

    Bands show one standard deviation over the seeds.
    """
    lines = [(m, DEFAULT, label(m)) for m in results.methods(dataset) if m not in _NOT_MASKED]
    # The paper draws it too: one tau for all is better at fractions above that tau.
    lines.append(("p2p", FIXED, "P2P, fixed τ"))
    drawn = []
    for method, setting, words in lines:
        found = (results.entry(dataset, method, setting, curve_point(curve, t)) for t in GRID)
        points = [entry for entry in found if entry is not None]
        if points:
            drawn.append((method, setting, words, points))
    if not drawn:
        return None
    figure, ax = _new(7.2, 4.6)
    for number, (method, setting, words, points) in enumerate(drawn):
        means = np.array([point.mean for point in points])
        sds = np.array([point.sd or 0 for point in points])
        is_p2p = method == "p2p"
        # C0 is left out, because it looks like the blue of P2P.
        style: dict[str, Any] = {
            "lw": 1.4,
            "ls": _LINE_STYLES[number // 9],
            "color": f"C{1 + number % 9}",
        }
        if is_p2p:
            style = {"lw": 2.6, "color": BLUE, "ls": "-" if setting == DEFAULT else "--"}
        ax.plot(GRID, means, label=words, zorder=3 if is_p2p else 2, **style)
        ax.fill_between(GRID, means - sds, means + sds, color=style["color"], alpha=0.15, lw=0)
    action, better = ("added", "higher") if curve == "insertion" else ("removed", "lower")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="predictions unchanged")
    ax.set_xlabel(f"pixels {action}, share of the image")
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return _titled(figure, f"{curve.title()} fidelity on {dataset} ({better} is better)")


def fixed_figure(results: Results, dataset: str) -> Figure | None:
    """A tau for each image versus one tau for all, at the same mean area (figure 4)."""
    metrics = [
        metric
        for metric in ("accuracy", "localization")
        if _sweep(results, dataset, f"{FIXED}-", metric)
    ]
    if not metrics:
        return None
    figure, axes = _new(4.2 * len(metrics), 3.8, len(metrics))
    for ax, metric in zip(np.atleast_1d(axes), metrics, strict=True):
        for prefix, words, color, sign in (
            ("", "τ of each image", BLUE, "o-"),
            (f"{FIXED}-", "one τ for all", ORANGE, "s--"),
        ):
            kept = _sweep(results, dataset, prefix, "kept_fraction")
            values = _sweep(results, dataset, prefix, metric)
            _draw(ax, [k.mean for k in kept], values, sign, words, color)
        strong = results.entry(dataset, "p2p", at_tau(STRONG_TAU), metric)
        kept_then = results.entry(dataset, "p2p", at_tau(STRONG_TAU), "kept_fraction")
        if strong and kept_then:
            _draw(ax, [kept_then.mean], [strong], "^", f"τ = {STRONG_TAU:.2f}", "gray")
        ax.set(xlabel="mean share of the pixels kept", ylabel=metric)
    np.atleast_1d(axes)[0].legend(frameon=False)
    return _titled(figure, f"Dynamic and fixed τ on {dataset}; bars: one sd over the seeds")


def threshold_figure(results: Results, dataset: str) -> Figure | None:
    """Accuracy, kept fraction and localization by certainty threshold (table 4)."""
    settings = results.certainty_thresholds(dataset)
    if len(settings) < 2:
        return None
    figure, ax = _new(5.2, 3.8)
    for metric, words, color, sign in (
        ("accuracy", "accuracy", BLUE, "o-"),
        ("localization", "localization", ORANGE, "s-"),
        ("kept_fraction", "kept", "gray", "^-"),
    ):
        values = _sweep(results, dataset, "", metric)
        if len(values) == len(settings):
            _draw(ax, [threshold_of(s) for s in settings], values, sign, words, color)
    ax.set(ylim=(0, 1.02), xlabel="certainty threshold δ")
    ax.legend(frameon=False)
    return _titled(figure, f"P2P at several certainty thresholds on {dataset}")


def random_page(store: RunStore, trial: Trial) -> Figure | None:
    """Random test images, each beside what was seen of it (figures 9 to 14)."""
    stored = read_examples(store, trial)
    if stored is None:
        return None
    exp, target, masks = stored
    figure = plot_page(exp, target, n_images=len(exp), object_masks=masks)
    figure.set_label(f"Random test images of {trial.dataset}, seed {trial.seed}")
    return figure


def embedding_figure(store: RunStore, trial: Trial) -> Figure | None:
    """Regions, what was seen, and region embeddings as colors (figure 8)."""
    stored = read_examples(store, trial)
    if stored is None or stored[0].region_embeddings is None:
        return None
    exp = stored[0][:_N_EMBEDDED]
    figure, axes = _new(8.4, 2.9 * len(exp), 3, len(exp))
    for image, row in enumerate(np.atleast_2d(axes)):
        plot_regions(exp, image, ax=row[0])
        plot_masked_image(exp, image, ax=row[1])
        plot_embedding(exp, image, ax=row[2])
    return _titled(figure, f"Region embeddings as colors, random images of {trial.dataset}")


def methods_page(store: RunStore, trials: list[Trial]) -> Figure | None:
    """The same random images as each method shows them to its classifier (figure 5).

    The trials are those of one data set and seed.
    """
    stored = [(trial, read_examples(store, trial)) for trial in trials]
    found = [(trial, found[0][:_N_EMBEDDED]) for trial, found in stored if found is not None]
    if not found:
        return None
    n = min(len(exp) for _, exp in found)
    figure, axes = _new(1.5 * (len(found) + 1), 1.75 * n, len(found) + 1, n)
    for image, row in enumerate(np.reshape(axes, (n, len(found) + 1))):
        row[0].imshow(found[0][1].images[image])
        row[0].set_title("image", fontsize=8)
        for ax, (trial, exp) in zip(row[1:], found, strict=True):
            plot_masked_image(exp, image, ax=ax)
            ax.set_title(label(trial.method), fontsize=8)
        for ax in row:
            ax.set_axis_off()
    return _titled(figure, f"What the classifiers saw: random images of {trials[0].dataset}")


def _sweep(results: Results, dataset: str, prefix: str, metric: str) -> list[Entry]:
    """P2P's score at every certainty threshold that has one."""
    found = [
        results.entry(dataset, "p2p", prefix + setting, metric)
        for setting in results.certainty_thresholds(dataset)
    ]
    return [entry for entry in found if entry is not None]


def _draw(
    ax: Axes, x: list[float], values: list[Entry], sign: str, words: str, color: str
) -> None:
    means, sds = [v.mean for v in values], [v.sd or 0 for v in values]
    ax.errorbar(x, means, yerr=sds, fmt=sign, label=words, color=color, capsize=2)


def _new(width: float, height: float, columns: int = 1, rows: int = 1) -> tuple[Figure, Any]:
    figure = new_figure(width, height)
    axes = figure.subplots(rows, columns)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _titled(figure: Figure, title: str) -> Figure:
    figure.suptitle(title, fontsize=11)
    # The report describes the picture by this label to those who cannot see it.
    figure.set_label(title)
    return figure
