"""What the report's script is given, decoded again and compared with the explanation."""

import base64
import io
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from p2pselect.explanations.figures._photographs import photograph
from p2pselect.explanations.report import _payload
from p2pselect.explanations.report._payload import SHOWN_REGIONS, image_uri, shade_uri


def image_payload(exp, image):
    return _payload.image_payload(exp[image], photograph(exp, image))


def decode_runs(item, shape) -> np.ndarray:
    """The map of regions by place, pair by pair as the script does."""
    codes = [ord(character) - ord("0") for character in item["map"]]
    half = len(codes) // 2
    cells = []
    for value, length in zip(codes[:half], codes[half:], strict=True):
        cells += [value] * length
    return np.array(cells).reshape(shape)


def decode_image(uri) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def laid_over(picture, shade) -> np.ndarray:
    """What people see where the PNG at one URI covers the picture at another."""
    cover = Image.open(io.BytesIO(base64.b64decode(shade.partition(",")[2])))
    below = Image.fromarray(decode_image(picture)).convert("RGBA")
    return np.asarray(Image.alpha_composite(below, cover.convert("RGBA")))[..., :3]


def as_pixels(exp, rng):
    """The same images where every pixel is a region of its own."""
    n, h, w = exp.regions.shape
    logits = rng.normal(size=(n, h * w)).astype(np.float32)
    counts = np.round(exp.path_tau * h * w).astype(np.int32)[None].repeat(n, axis=0)
    stop = [int(np.flatnonzero(exp.path_tau == tau)[0]) for tau in exp.tau]
    rank = np.argsort(np.argsort(-logits, axis=1), axis=1)
    return replace(
        exp,
        regions=np.arange(h * w, dtype=np.int32).reshape(1, h, w).repeat(n, axis=0),
        region_masks=rank < counts[np.arange(n), stop][:, None],
        selection_logits=logits,
        selection_probs=(1 / (1 + np.exp(-logits))).astype(np.float32),
        region_embeddings=None,
        path_counts=counts,
    )


def test_visible_pixels_at_the_stop_are_the_pixel_mask(made):
    exp = made.explanation
    for i in range(len(exp)):
        item = image_payload(exp, i)
        cells = decode_runs(item, exp.regions.shape[1:])
        shown = cells < item["steps"]["groups"][item["steps"]["stop"]]
        np.testing.assert_array_equal(shown, exp.pixel_masks[i])


def test_every_step_shows_the_first_regions_of_the_ranking(made):
    exp = made.explanation
    item = image_payload(exp, 1)
    cells = decode_runs(item, exp.regions.shape[1:])
    steps = item["steps"]
    assert steps["regions"][-len(exp.path_tau) :] == exp.path_counts[1].tolist()
    assert (np.diff(steps["regions"]) >= 0).all()
    for count, groups in zip(steps["regions"], steps["groups"], strict=True):
        expected = np.isin(exp.regions[1], exp.ranking[1, :count])
        np.testing.assert_array_equal(cells < groups, expected)


def test_a_group_of_pixels_has_their_mean_probability(made):
    exp = as_pixels(made.explanation[:1], np.random.default_rng(0))
    probs = image_payload(exp, 0)["probs"]
    assert 1 < len(probs) < exp.region_masks.shape[1]
    assert 0 <= min(probs) and max(probs) <= 1


def test_probabilities_along_the_path(made):
    exp = made.explanation
    for i in range(len(exp)):
        item = image_payload(exp, i)
        steps = item["steps"]
        assert len(steps["tau"]) == len(exp.path_tau)
        assert steps["tau"][steps["stop"]] == pytest.approx(exp.tau[i])
        expected = exp.path_proba[i, : steps["stop"] + 1, item["top"]].T
        np.testing.assert_allclose(steps["proba"], expected, atol=1e-4)
        assert item["top"][0] == item["predicted"] == exp.proba[i].argmax()


@pytest.mark.parametrize("unasked", [[0], [1, 2], slice(None)])
def test_before_the_stop_are_only_steps_at_which_the_model_was_asked(made, unasked):
    image = int(made.explanation.tau.argmax())
    exp = made.explanation[image]
    path = exp.path_proba.copy()
    path[0, unasked] = np.nan
    whole = image_payload(exp, 0)["steps"]
    steps = image_payload(replace(exp, path_proba=path), 0)["steps"]
    gone = np.isin(np.arange(whole["stop"]), np.arange(len(exp.path_tau))[unasked])
    assert gone.any() and steps["stop"] == whole["stop"] - gone.sum()
    left = [*np.flatnonzero(~gone), *range(whole["stop"], len(exp.path_tau))]
    for name in ("tau", "regions"):
        assert steps[name] == [whole[name][t] for t in left]
    assert steps["proba"] == [whole["proba"][t] for t in left if t <= whole["stop"]]
    never = image_payload(replace(exp, path_proba=None), 0)["steps"]
    assert never["stop"] == 0 and len(never["proba"]) == 1


def test_region_probabilities_are_in_the_order_of_choice(made):
    exp = made.explanation
    item = image_payload(exp, 2)
    expected = exp.selection_probs[2, exp.ranking[2, : exp.n_regions[2]]]
    np.testing.assert_allclose(item["probs"], expected, atol=1e-3)


def test_directions_give_the_learned_correlation(made):
    exp = made.explanation
    item = image_payload(exp, 2)
    raw = np.frombuffer(base64.b64decode(item["directions"]), np.int8).astype(float)
    vectors = raw.reshape(exp.n_regions[2], -1) / 127
    order = exp.ranking[2, : exp.n_regions[2]]
    covariance = exp.covariance(2)[np.ix_(order, order)]
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(
        vectors @ vectors.T, covariance / np.outer(scale, scale), atol=0.03
    )


def test_small_images_are_exact_and_large_ones_jpeg(made):
    uri = image_uri(made.explanation.images[0])
    np.testing.assert_array_equal(decode_image(uri), made.explanation.images[0])
    assert image_uri(np.zeros((224, 224, 3), np.uint8)).startswith("data:image/jpeg")


def test_the_shade_leaves_what_the_classifier_saw(made):
    exp = made.explanation
    soft = np.linspace(0, 1, exp.region_masks.size).reshape(exp.region_masks.shape)
    for shown, far in ((exp, 0), (replace(exp, soft_region_masks=soft.astype("f4")), 1)):
        item = image_payload(shown, 2)
        seen = laid_over(item["src"], item["shade"]).astype(int)
        assert (
            np.abs(seen - np.asarray(shown.masked_images[2] * (255 if far else 1))).max() <= far
        )
    # A bit for every pixel: a mask of a large photograph is small.
    rows, columns = np.ogrid[:512, :512]
    assert len(shade_uri((rows - 256) ** 2 + (columns - 200) ** 2 < 90**2)) < 3000


def test_without_a_path_only_the_end_has_probabilities(made):
    exp = replace(made.explanation, path_tau=None, path_counts=None, path_proba=None)
    item = image_payload(exp, 0)
    steps = item["steps"]
    kept = int(exp.region_masks[0].sum())
    assert steps["tau"] is None and steps["stop"] == 0 and steps["regions"][0] == kept
    assert len(steps["proba"]) == 1
    assert steps["regions"][-1] == exp.n_regions[0]


def test_a_tau_that_is_not_on_the_path_is_not_placed_on_it(made):
    exp = made.explanation
    full = replace(exp, tau=np.ones(len(exp)))
    assert image_payload(full, 0)["steps"]["tau"] is None


@pytest.mark.parametrize("kept", [0, 1])
def test_empty_mask_and_full_mask(made, kept):
    exp = made.explanation
    real = np.isfinite(exp.selection_logits)
    exp = replace(exp, region_masks=real & bool(kept), path_tau=None, path_counts=None)
    item = image_payload(exp, 0)
    cells = decode_runs(item, exp.regions.shape[1:])
    shown = cells < item["steps"]["groups"][item["steps"]["stop"]]
    assert shown.mean() == kept == item["kept"]


def test_one_region(made):
    exp = made.explanation[:1]
    one = replace(
        exp,
        regions=np.zeros_like(exp.regions),
        region_masks=np.ones((1, 1), bool),
        selection_logits=np.zeros((1, 1)),
        selection_probs=np.ones((1, 1)),
        region_embeddings=np.zeros((1, 3, 1)),
        path_counts=np.ones_like(exp.path_counts),
    )
    item = image_payload(one, 0)
    assert item["regions"] == 1 and not decode_runs(item, exp.regions.shape[1:]).any()


def test_a_run_longer_than_any_character_stands_for(made):
    exp = made.explanation[:1]
    # The length of a run over all of these pixels would be half of a pair of surrogates.
    regions = np.zeros((1, 200, 280), np.int32)
    large = replace(exp, images=np.zeros((1, 200, 280, 3), np.uint8), regions=regions)
    item = json.loads(json.dumps(image_payload(large, 0)))
    item["map"].encode()
    assert len(np.unique(decode_runs(item, (200, 280)))) == 1


def test_what_is_packed_is_what_the_script_needs(made):
    one = made.explanation[3]
    picture = photograph(one, 0)
    payload = _payload.detail_payload(one, picture)
    code = _payload.packed(payload)
    text = zlib.decompress(base64.b64decode(code)).decode()
    assert json.loads(text) == json.loads(json.dumps(payload))
    assert len(code) < 0.7 * len(text)
    with pytest.raises(ValueError, match="not JSON compliant"):
        _payload.packed({"tau": np.nan})


def test_kept_regions_need_not_be_the_best(made):
    exp = made.explanation
    odd = replace(exp, region_masks=np.isfinite(exp.selection_logits) & ~exp.region_masks)
    item = image_payload(odd, 0)
    cells = decode_runs(item, exp.regions.shape[1:])
    shown = cells < item["steps"]["groups"][item["steps"]["stop"]]
    np.testing.assert_array_equal(shown, odd.pixel_masks[0])


def test_single_pixels_are_shown_in_groups_that_keep_every_step_exact(made):
    exp = as_pixels(made.explanation[:2], np.random.default_rng(0))
    assert exp.n_regions[0] > SHOWN_REGIONS
    item = image_payload(exp, 1)
    cells = decode_runs(item, exp.regions.shape[1:])
    assert len(item["probs"]) < 300
    for count, groups in zip(item["steps"]["regions"], item["steps"]["groups"], strict=True):
        expected = np.isin(exp.regions[1], exp.ranking[1, :count])
        np.testing.assert_array_equal(cells < groups, expected)


@pytest.mark.parametrize("d", [45, 255, 400])
def test_the_map_of_any_number_of_regions(made, d):
    exp = as_pixels(made.explanation[:1], np.random.default_rng(0))
    # The last pixels are of no region.
    labels = np.where(np.arange(420) < d, np.arange(420), -1).astype(np.int32)
    small = replace(
        exp,
        images=exp.images[:, :20, :21],
        regions=labels.reshape(1, 20, 21),
        region_masks=exp.region_masks[:, :d],
        selection_logits=exp.selection_logits[:, :d],
        selection_probs=exp.selection_probs[:, :d],
        path_tau=None,
    )
    item = image_payload(small, 0)
    place = np.argsort(np.lexsort((-small.selection_logits[0], ~small.region_masks[0])))
    np.testing.assert_array_equal(decode_runs(item, (20, 21)).ravel()[:d], place)
    assert (decode_runs(item, (20, 21)).ravel()[d:] == d).all()


def test_soft_masks_carry_their_brightness(made):
    exp = made.explanation
    soft = np.random.default_rng(0).random(exp.region_masks.shape).astype(np.float32)
    item = image_payload(replace(exp, soft_region_masks=soft), 0)
    cells = decode_runs(item, exp.regions.shape[1:])
    shown = np.array(item["soft"])[cells]
    np.testing.assert_allclose(shown, np.take(soft[0], exp.regions[0]), atol=1e-3)
    assert len(item["steps"]["regions"]) == 1
