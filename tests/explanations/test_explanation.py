"""Explanation: its arrays, slices, files."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from p2pselect import Explanation
from p2pselect.exceptions import InputError


@pytest.fixture
def exp():
    regions = np.zeros((3, 4, 4), np.int32)
    regions[0, :, 2:] = 1
    regions[1, 2:] = 1
    regions[1, 3:] = 2  # the second image has three regions, the last one a single one
    masks = np.array([[True, False, False], [False, True, True], [True, False, False]])
    logits = np.array([[1, -1, -np.inf], [-2, 0.5, 0.5], [3, -np.inf, -np.inf]], np.float32)
    return Explanation(
        images=np.full((3, 4, 4, 3), 200, np.uint8),
        regions=regions,
        region_masks=masks,
        selection_logits=logits,
        selection_probs=np.where(np.isfinite(logits), 1 / (1 + np.exp(-logits)), 0).astype(
            "f4"
        ),
        tau=np.array([0.5, 0.55, 1.0]),
        proba=np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], np.float32),
        classes=np.array(["cat", "dog"]),
        answered=np.array([True, True, False]),
        certainty_threshold=0.8,
        region_embeddings=np.ones((3, 2, 3), np.float32),
        path_tau=np.array([0.5, 1.0]),
        path_counts=np.array([[1, 2], [2, 3], [1, 1]], np.int32),
        original_sizes=np.array([[8, 12], [4, 4], [1, 3]]),
        resize="stretch",
    )


def test_derived_arrays(exp):
    assert exp.n_regions.tolist() == [2, 3, 1]
    assert exp.region_areas.tolist() == [[8, 8, 0], [8, 4, 4], [16, 0, 0]]
    assert exp.kept_fraction.tolist() == [0.5, 0.5, 1.0]
    assert exp.predicted.tolist() == ["cat", "dog", "cat"]
    assert exp.certainty.tolist() == pytest.approx([0.9, 0.8, 0.5])
    assert exp.ranking.tolist() == [[0, 1, 2], [1, 2, 0], [0, 1, 2]]
    p = 1 / (1 + np.exp([-1, 1]))
    assert exp.expected_kept_fraction[0] == pytest.approx(p.mean())
    p = 1 / (1 + np.exp([2, -0.5, -3]))
    assert exp.expected_kept_fraction[1] == pytest.approx((p[0] + p[1]) / 2)
    assert exp.expected_kept_fraction[2] == pytest.approx(p[2])
    np.testing.assert_array_equal(exp.pixel_masks[0], exp.regions[0] == 0)
    assert exp.pixel_masks[2].all()
    masked = exp.masked_images
    assert (
        masked.dtype == np.uint8 and (masked[0, :, 2:] == 0).all() and masked[0, 0, 0, 0] == 200
    )
    assert exp.covariance(1).tolist() == np.full((3, 3), 2.0).tolist()
    assert exp.covariance(0).shape == (2, 2)


def test_reasons_of_images_that_are_not_answered(exp):
    path = np.array([[[0.6, 0.4], [0.9, 0.1]], [[0.2, 0.85], [np.nan] * 2], [[0.7, 0.3]] * 2])
    exp = replace(exp, path_proba=path.astype(np.float32))
    assert exp.enough == 0.8
    assert exp.highest_certainty.tolist() == pytest.approx([0.9, 0.85, 0.7])
    assert exp.unanswered_reasons == [[], [], ["uncertain"]]
    none = replace(exp, answered=np.zeros(3, bool))
    assert exp.familiarity.tolist() == pytest.approx([1, 0.5, 3])
    far = replace(none, lowest_familiarity=0.75)
    assert far.unanswered_reasons == [["uncertain"], ["unfamiliar"], ["uncertain"]]
    assert far[1].unanswered_reasons == [["unfamiliar"]]
    both = replace(far, lowest_familiarity=5.0).unanswered_reasons
    assert both == [["unfamiliar"], ["unfamiliar"], ["unfamiliar", "uncertain"]]
    unsafe = replace(none, answered_classes=np.array([False, True]))
    assert unsafe.unanswered_reasons == [["class"], ["uncertain"], ["uncertain"]]
    calibrated = replace(unsafe, stop_certainty=0.95)
    assert calibrated.unanswered_reasons == [["uncertain"]] * 3
    bare = replace(calibrated, path_proba=None)
    assert bare.highest_certainty.tolist() == bare.certainty.tolist()
    assert exp[[]].unanswered_reasons == []


def test_soft_masks_dim(exp):
    soft = replace(exp, soft_region_masks=np.full((3, 3), 0.5, np.float32))
    assert soft.masked_images.dtype == np.float32
    np.testing.assert_allclose(soft.masked_images, 200 / 255 / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        (1, [1]),
        (-1, [2]),
        (slice(0, 2), [0, 1]),
        (np.array([True, False, True]), [0, 2]),
        ([2, 0], [2, 0]),
        ([True, False, True], [0, 2]),
        ([], []),
        (np.int64(-3), [0]),
        (np.array(1), [1]),
        (slice(0, 0), []),
    ],
)
def test_slices_are_explanations(exp, key, rows):
    part = exp[key]
    assert len(part) == len(rows)
    np.testing.assert_array_equal(part.proba, exp.proba[rows])
    np.testing.assert_array_equal(part.path_counts, exp.path_counts[rows])
    assert part.path_tau is exp.path_tau and part.classes is exp.classes
    with pytest.raises(IndexError):
        exp[3]


@pytest.mark.parametrize(
    "key", [3, -4, [0, 3], [True, False], True, 1.0, "1", None, ..., (0, 1), [[0, 1]], [0.5]]
)
def test_other_keys_are_refused(exp, key):
    with pytest.raises(IndexError):
        exp[key]


def test_iteration_and_pickle(exp):
    assert [len(one) for one in exp] == [1, 1, 1]
    again = pickle.loads(pickle.dumps(exp))
    np.testing.assert_array_equal(again.masked_images, exp.masked_images)


@pytest.mark.parametrize("name", ["plain", "x.npz", "with.dot", "sp ace é.npz", "new/folder/x"])
def test_a_file_has_the_name_that_was_given(exp, tmp_path, name):
    for part in (exp, exp[:1]):  # over an old one, too
        part.save(tmp_path / name)
        assert len(Explanation.load(tmp_path / name)) == len(part)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / name]


def test_save_and_load(exp, tmp_path):
    bounds = {"answered_classes": np.array([True, False]), "lowest_familiarity": -0.5}
    exp = replace(exp, stop_certainty=0.9, **bounds)
    exp.save(tmp_path / "e.npz")
    again = Explanation.load(tmp_path / "e.npz")
    for name, value in vars(exp).items():
        if value is None:
            assert getattr(again, name) is None
        else:
            np.testing.assert_array_equal(getattr(again, name), value)
    assert isinstance(again.certainty_threshold, float)


def test_load_refuses_other_files(exp, tmp_path):
    (tmp_path / "text").write_text("no")
    np.savez(tmp_path / "other.npz", a=1)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    for name in ("text", "other.npz", "objects.npy"):
        with pytest.raises(InputError, match=name):
            Explanation.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Explanation.load(tmp_path / "nowhere.npz")


def test_load_refuses_another_format(exp, tmp_path):
    exp.save(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz") as stored:
        arrays = dict(stored)
    arrays["header"] = np.frombuffer(b'{"format": 999}', np.uint8)
    np.savez(tmp_path / "e.npz", **arrays)
    with pytest.raises(InputError, match="has format 999, this version reads"):
        Explanation.load(tmp_path / "e.npz")


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("proba", lambda a: a[:, :1], r"classes has shape \(2,\), expected \(1\)"),
        ("proba", lambda a: a.astype(str), "proba has values of type"),
        ("tau", lambda a: a[:, None], r"tau has shape \(3, 1\), expected \(3\)"),
        ("regions", lambda a: a[:, :-1], "regions has shape"),
        ("regions", lambda a: a + 1000, "regions has labels from 1000"),
        ("regions", lambda a: a - 2, "regions has labels from -2"),
        ("resize", lambda a: np.array("zoom"), "resize is 'zoom'"),
        ("original_sizes", lambda a: a * 0, "original_sizes has 0"),
        ("original_sizes", lambda a: a[:, :1], r"original_sizes has shape \(3, 1\)"),
        ("path_counts", lambda a: a[:, 1:], "path_counts has shape"),
        ("certainty_threshold", lambda a: a[None], r"expected \(\)"),
    ],
)
def test_load_refuses_arrays_that_do_not_fit(exp, tmp_path, name, change, words):
    exp.save(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz") as stored:
        arrays = dict(stored)
    np.savez(tmp_path / "e.npz", **{**arrays, name: change(arrays[name])})
    with pytest.raises(InputError, match=words):
        Explanation.load(tmp_path / "e.npz")


def test_a_failed_save_leaves_the_old_file(exp, tmp_path, monkeypatch):
    exp.save(tmp_path / "e.npz")

    def half(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError, match="disk full"):
        exp.save(tmp_path / "e.npz")
    assert len(Explanation.load(tmp_path / "e.npz")) == len(exp)
    assert [path.name for path in tmp_path.iterdir()] == ["e.npz"]


def test_save_refuses_labels_that_need_pickle(exp, tmp_path):
    with pytest.raises(InputError, match="class labels"):
        replace(exp, classes=np.array([None, 1], dtype=object)).save(tmp_path / "e.npz")


def test_no_embeddings_no_covariance(exp):
    with pytest.raises(InputError, match="no region embeddings"):
        replace(exp, region_embeddings=None).covariance(0)


def test_masks_at_original_size(exp):
    masks = exp.masks_at_original_size()
    np.testing.assert_array_equal(masks[0], exp.pixel_masks[0].repeat(2, 0).repeat(3, 1))
    np.testing.assert_array_equal(masks[1], exp.pixel_masks[1])
    assert masks[2].shape == (1, 3) and masks[2].dtype == bool
    (alone,) = exp[0].masks_at_original_size()
    np.testing.assert_array_equal(alone, masks[0])
    small = exp.at_original_size(exp.regions, longest_side=6)
    assert [labels.shape for labels in small] == [(4, 6), (4, 4), (1, 3)]
    with pytest.raises(InputError, match=r"values must have one value .*\(3, 4, 4\)"):
        exp.at_original_size(exp.region_masks)


def test_familiarity_is_the_mean_logit_of_the_best_tenth_of_the_pixels(made):
    explanation = made.explanation
    heights = explanation.to_pixels(np.nan_to_num(explanation.selection_logits, neginf=0))
    for image in range(len(explanation)):
        pixels = np.sort(heights[image][explanation.regions[image] >= 0])[::-1]
        tenth = len(pixels) / 10
        whole = int(tenth)
        total = pixels[:whole].sum() + (tenth - whole) * pixels[whole]
        assert explanation.familiarity[image] == pytest.approx(total / tenth, rel=1e-5)
