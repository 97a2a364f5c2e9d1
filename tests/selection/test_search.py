"""The certainty search makes the decisions of the paper's loop, at one call per mask."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.certainty_search import (
    all_labels,
    most_probable,
    of_all_labels,
    of_the_second_label,
    search_one,
    that_all_are_right,
    the_second_label,
)
from scipy.special import expit, softmax

from p2pselect._answer_kinds import ONE_CLASS, LabelSet
from p2pselect._answering import FALLBACKS, unanswered_levels
from p2pselect.selection._certainty_search import (
    Chunk,
    SearchResult,
    join_results,
    make_tau_grid,
    next_level,
    search_certainty,
)
from p2pselect.selection._selection_rule import budget_cut, probability_cut

GRID = make_tau_grid(0.05, 0.05)


def _random_images(rng, n, side, d):
    regions = rng.integers(0, d, (n, side, side))
    # Labels are contiguous per image, and the images differ in their number of regions.
    return np.stack([np.unique(r, return_inverse=True)[1].reshape(r.shape) for r in regions])


def _chunks(images, regions, logits, offsets, selection, allow_empty, batch_size):
    """What the estimator hands to the search, from plain arrays."""
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        labels, d = regions[rows], logits.shape[1]
        areas = np.stack([np.bincount(r.ravel(), minlength=d) for r in labels]).astype("f4")
        scores = np.where(areas == 0, -np.inf, logits[rows])
        ranking = np.argsort(-scores, axis=1, kind="stable")
        ordered, sizes = (np.take_along_axis(v, ranking, axis=1) for v in (scores, areas))
        cut = probability_cut if selection == "threshold" else budget_cut
        counts = cut(ordered, sizes, offsets, GRID)
        if not allow_empty:
            counts = counts.clip(min=1)
        ranks = np.argsort(ranking, axis=1)
        pixel_ranks = np.stack([rank[r] for rank, r in zip(ranks, labels, strict=True)])
        yield Chunk(images[rows], pixel_ranks, counts)


#: Kinds of answers; what the naive loop takes as their certainty, as what they say, and as how
#: probable that is; and their probabilities.
KINDS = {
    "one class": (ONE_CLASS, max, most_probable, max, lambda logits: softmax(logits, axis=1)),
    "all labels": (LabelSet(), of_all_labels, all_labels, that_all_are_right, expit),
    "one label": (
        LabelSet(1),
        of_the_second_label,
        the_second_label,
        of_the_second_label,
        expit,
    ),
}


def _network(rng, side, n_classes, sharpness, kind="one class"):
    weight = rng.normal(size=(n_classes, 3 * side * side)) * sharpness

    def classify(images, pixel_ranks, kept):
        shown = images * (pixel_ranks < kept[:, None, None])[:, None]
        logits = shown.reshape(len(shown), -1) @ weight.T
        return KINDS[kind][-1](logits).astype(np.float32)

    return classify


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    n=st.integers(1, 13),
    d=st.sampled_from([1, 2, 9, 130]),
    batch_size=st.integers(1, 8),
    sharpness=st.sampled_from([0.0, 0.1, 1.0, 100.0]),
    threshold=st.sampled_from([0.2, 0.6, 0.95, 1.0]),
    selection=st.sampled_from(["threshold", "budget"]),
    slope=st.sampled_from([-1.3, 0.0, 2.0]),
    allow_empty=st.booleans(),
    fallback=st.sampled_from(FALLBACKS),
    keep_path=st.booleans(),
    kind=st.sampled_from([*KINDS]),
)
def test_same_decisions_as_the_naive_loop(
    seed,
    n,
    d,
    batch_size,
    sharpness,
    threshold,
    selection,
    slope,
    allow_empty,
    fallback,
    keep_path,
    kind,
):
    rng = np.random.default_rng(seed)
    side = 12
    images = rng.random((n, 3, side, side)).astype(np.float32)
    regions = _random_images(rng, n, side, d)
    logits = rng.normal(size=(n, regions.max() + 1), scale=2).astype(np.float32).round(1)
    offsets = (slope * np.log(GRID.clip(max=0.995) / (1 - GRID.clip(max=0.995)))).astype("f4")
    network = _network(rng, side, 3, sharpness, kind)
    given = []

    def classify(images, *which):
        given.append(len(images))
        return network(images, *which)

    arguments = (images, regions, logits, offsets, selection, allow_empty, batch_size)
    how = threshold, batch_size, keep_path, fallback
    result = search_certainty(_chunks(*arguments), n, classify, *how, kind=KINDS[kind][0])
    counts = np.concatenate([c.counts for c in _chunks(*arguments)])
    n_distinct = 0
    for i in range(n):
        areas = np.bincount(regions[i].ravel())
        seen = {}

        def one(mask, i=i, seen=seen):
            removed = ~mask[regions[i]][None]
            proba = network(images[i : i + 1], removed, np.array([1]))[0]
            seen[mask.tobytes()] = proba
            return proba

        tau, mask, proba, certain = search_one(
            logits[i, : len(areas)],
            areas,
            offsets,
            GRID,
            one,
            threshold,
            selection,
            allow_empty,
            fallback,
            *KINDS[kind][1:4],
        )
        n_distinct += len(seen)
        assert GRID[result.level[i]] == tau
        assert result.reached[i] == certain
        np.testing.assert_allclose(result.proba[i], proba, rtol=1e-5, atol=1e-7)
        assert result.count[i] == mask.sum()
        order = np.argsort(-logits[i, : len(areas)], kind="stable")
        assert set(order[: mask.sum()]) == set(np.flatnonzero(mask))
        assert counts[i, result.level[i]] == result.count[i]
        if keep_path:
            # It has every level up to the stop, and only those.
            looked_at = ~np.isnan(result.path_proba[i, :, 0])
            stop = result.level[i] if certain else len(GRID)
            np.testing.assert_array_equal(looked_at, np.arange(len(GRID)) <= stop)
    assert sum(given) == n_distinct


def test_batches_stay_full_until_the_end():
    rng = np.random.default_rng(0)
    n, side, batch_size = 50, 6, 8
    images = rng.random((n, 3, side, side)).astype(np.float32)
    regions = _random_images(rng, n, side, 9)
    logits = rng.normal(size=(n, 9)).astype(np.float32)
    offsets = np.linspace(-3, 3, len(GRID)).astype(np.float32)
    sizes = []
    classify = _network(rng, side, 3, 2.0)

    def counting(images, *which):
        sizes.append(len(images))
        return classify(images, *which)

    chunks = _chunks(images, regions, logits, offsets, "threshold", False, batch_size)
    search_certainty(chunks, n, counting, 0.9, batch_size)
    short = [i for i, size in enumerate(sizes) if size < batch_size]
    # Once the source is dry the rest of the images needs at most one short batch a level.
    assert len(short) <= len(GRID) and short == list(range(len(sizes) - len(short), len(sizes)))


def test_no_images():
    result = search_certainty([], 0, None, 0.9, 4)
    assert len(result.proba) == 0


@pytest.mark.parametrize(("low", "step"), [(0.05, 0.05), (0.3, 0.3), (0.01, 0.9), (0.5, 0.5)])
def test_the_grid_ends_at_one(low, step):
    grid = make_tau_grid(low, step)
    assert grid[0] == low and grid[-1] == 1.0 and (np.diff(grid) > 1e-9).all()
    assert np.diff(grid).max() <= step + 1e-9


def test_budget_never_exceeds_tau():
    rng = np.random.default_rng(0)
    areas = rng.integers(1, 9, (20, 7)).astype(np.float32)
    areas[:, -1] += 100 - areas.sum(axis=1)
    counts = budget_cut(areas, areas, np.zeros(len(GRID)), GRID)
    used = np.take_along_axis(np.pad(areas.cumsum(axis=1), ((0, 0), (1, 0))), counts, axis=1)
    assert (used <= GRID * 100 + 1e-6).all()
    assert (counts[:, -1] == 7).all()


def test_a_budget_leaves_padding_out():
    areas = np.array([[4.0, 3.0, 3.0], [6.0, 4.0, 0.0]])
    counts = budget_cut(areas, areas, np.zeros(4), np.array([0.3, 0.4, 0.7, 1.0]))
    assert counts.tolist() == [[0, 1, 2, 3], [0, 0, 1, 2]]


def _result(level, count, reached, path):
    proba = path[np.arange(len(path)), level]
    return SearchResult(np.array(level), np.array(count), proba, np.array(reached), path)


@pytest.mark.parametrize(
    ("fallback", "levels"),
    [("most_certain", [0, 3, 1]), ("settled", [0, 2, 0]), ("everything", [0, 5, 5])],
)
def test_what_an_image_shows_that_never_becomes_certain(fallback, levels):
    # Image 0 is certain at once; 1 never is, and its fourth and fifth mask are equally so.  It
    # says the same from the third on; 2 does from the first on.
    never = [[0.3, 0.7], [0.6, 0.4], [0.4, 0.6], [0.2, 0.8], [0.2, 0.8], [0.7, 0.3]]
    first = [[0.6, 0.4], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.6, 0.4], [0.6, 0.4]]
    path = np.array([[[0.95, 0.05]] * 6, never, first])
    counts = np.array([[1, 2, 3, 3, 3, 3], [2, 4, 5, 6, 7, 8], [2, 4, 5, 6, 7, 8]])
    chunk = Chunk(np.arange(3), np.tile(np.arange(8), (3, 1, 1)), counts)

    def classify(images, pixel_ranks, kept):
        levels = [int(np.argmax(counts[i] == k)) for i, k in zip(images, kept, strict=True)]
        return path[images, levels]

    found = search_certainty([chunk], 3, classify, 0.9, 3, fallback=fallback)
    rows = np.arange(3)
    assert found.level.tolist() == levels and found.reached.tolist() == [True, False, False]
    assert found.count.tolist() == counts[rows, levels].tolist()
    np.testing.assert_array_equal(found.proba, path[rows, levels].astype(np.float32))
    # The same from a path that went on, and for one that ended early.
    assert unanswered_levels(path, fallback, ONE_CLASS)[1:].tolist() == levels[1:]
    ended = np.where(np.arange(6)[:, None] > 0, np.nan, path)
    if fallback != "everything":
        assert unanswered_levels(ended, fallback, ONE_CLASS).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("kind", "fallback", "levels"),
    [
        # The second label is least uncertain in the last mask, where the first one is lost.
        (LabelSet(), "most_certain", [1, 0]),
        (LabelSet(), "settled", [1, 0]),
        (LabelSet(1), "most_certain", [2, 1]),
    ],
)
def test_no_label_decides_alone_which_of_several_answers_is_given(kind, fallback, levels):
    doubtful = [[0.6, 0.4], [0.1, 0.4], [0.4, 0.3]]
    # Certain of both labels in the second mask, and more certain of one in the first.
    certain = [[0.0, 0.12], [0.08, 0.08], [0.08, 0.08]]
    path = np.array([doubtful, certain], np.float32)
    counts = np.tile([1, 2, 3], (2, 1))
    chunk = Chunk(np.arange(2), np.tile(np.arange(3), (2, 1, 1)), counts)
    how = {"fallback": fallback, "kind": kind}

    def classify(images, pixel_ranks, kept):
        return path[images, kept - 1]

    found = search_certainty([chunk], 2, classify, 0.9, 2, **how)
    assert found.reached.tolist() == [False, True]
    assert found.level.tolist() == [levels[0], 1]
    np.testing.assert_array_equal(found.proba, path[[0, 1], found.level])
    assert unanswered_levels(path, fallback, kind).tolist() == levels


def test_results_are_joined_in_their_order():
    path = np.zeros((1, 2, 2), np.float32)
    one, other = (_result([level], [level + 1], [True], path + level) for level in (0, 1))
    both = join_results([one, other])
    assert both.level.tolist() == [0, 1] and both.count.tolist() == [1, 2]
    assert both.path_proba[:, 0, 0].tolist() == [0, 1]
    without = [replace(part, path_proba=None) for part in (one, other)]
    assert join_results(without).path_proba is None


def test_next_level_skips_levels_of_the_same_mask():
    counts = np.array([[1, 1, 2, 5], [3, 3, 3, 3]])
    assert next_level(counts, np.array([0, 0])).tolist() == [2, 4]
    assert next_level(counts, np.array([2, 1])).tolist() == [3, 4]
