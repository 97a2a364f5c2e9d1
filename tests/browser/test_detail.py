"""The detail view in a real browser: slider, bars, regions."""

import re
from dataclasses import replace

import numpy as np
import pytest


def test_slider_lights_up_the_regions_in_their_order(report):
    exp = report.exp
    report.open(1)
    stop = int(np.flatnonzero(exp.path_tau == exp.tau[1])[0])
    assert report.js("return Number(byId('tau').value)") == report.step(exp.tau[1])
    np.testing.assert_array_equal(report.pixels(report.find("#seen")), exp.masked_images[1])
    for t in range(stop + 1):
        report.set("#tau", report.step(exp.path_tau[t]))
        visible = np.isin(exp.regions[1], exp.ranking[1, : exp.path_counts[1, t]])
        expected = exp.images[1] * visible[..., None]
        np.testing.assert_array_equal(report.pixels(report.find("#seen")), expected)
        assert f"τ = {exp.path_tau[t]:.2f}" in report.text("#tau-label")
        assert f"{exp.path_counts[1, t]} of {exp.n_regions[1]}" in report.text("#tau-label")


def test_beyond_the_stop_regions_are_faint_and_bars_stand_still(report):
    exp = report.exp
    report.open(1)
    before = report.js(
        "return [...document.querySelectorAll('.value')].map(v => v.textContent)"
    )
    report.set("#tau", report.step(exp.path_tau[-1]))
    seen = report.pixels(report.find("#seen")).astype(int)
    kept = exp.pixel_masks[1]
    np.testing.assert_array_equal(seen[kept], exp.images[1][kept])
    assert (seen[~kept] <= exp.images[1][~kept] / 2).all() and seen[~kept].any()
    after = report.js("return [...document.querySelectorAll('.value')].map(v => v.textContent)")
    assert before == after
    assert "never saw the faint regions" in report.text("#state")


def test_bars_follow_the_slider(report):
    exp = report.exp
    image = int(exp.tau.argmax())
    report.open(image)
    stop = int(np.flatnonzero(exp.path_tau == exp.tau[image])[0])
    top = np.argsort(-exp.proba[image], kind="stable")[:8]
    for t in (0, stop // 2, stop):
        report.set("#tau", report.step(exp.path_tau[t]))
        fills = report.browser.find_elements("css selector", "#bars .fill")
        widths = [
            float(report.js("return parseFloat(arguments[0].style.width)", f)) for f in fills
        ]
        np.testing.assert_allclose(widths, 100 * exp.path_proba[image, t, top], atol=0.02)
    names = report.js(
        "return [...document.querySelectorAll('#bars .name')].map(v => v.textContent)"
    )
    assert names == [str(exp.classes[c]) for c in top]


def test_the_stop_says_that_this_was_enough(report):
    for image, answered in enumerate(report.exp.answered):
        report.open(image)
        words = "This is all it needed" if answered else "Not answered"
        assert words in report.text("#state")
        mark = report.find("#stop")
        assert mark.is_displayed()


def test_before_the_stop_it_was_not_certain(report):
    report.open(int(report.exp.tau.argmax()))
    report.set("#tau", report.step(report.exp.path_tau[0]))
    assert "Not certain yet" in report.text("#state")
    assert "but 95% was needed" in report.text("#state")


def test_steps_before_the_stop_have_the_scale_of_the_classifier(open_report, made):
    exp = made.explanation
    report = open_report(replace(exp, certainty_threshold=0.8, stop_certainty=0.95))
    image = int(exp.tau.argmax())
    report.open(image)

    def line():
        return report.js("return document.querySelector('#bars .asked').style.left")

    assert line() == "80%" and "certainty asked for, 80% on average" in report.text("#asked")
    report.set("#tau", report.step(exp.path_tau[0]))
    assert line() == "95%" and "classifier's own" in report.text("#asked")
    assert "on average" not in report.text("#asked")
    assert "but 95% was needed" in report.text("#state")
    report.js("byId('detail').close()")
    report.open(int(exp.answered.argmax()))
    assert "asked for 80% on average" in report.text("#verdict")


def test_play_ends_at_the_stop(report):
    image = int(np.flatnonzero(report.exp.tau >= 0.15)[0])
    report.open(image)
    assert report.find("#play").is_displayed()
    report.find("#play").click()
    assert "Pause" in report.text("#play")
    assert report.js("return Number(byId('tau').value)") == 0
    report.wait("byId('play').textContent.includes('Play')")
    assert report.js("return Number(byId('tau').value) === current.steps.stop")


def test_pointing_at_a_region_tells_its_probability_and_its_relatives(report):
    from selenium.webdriver import ActionChains

    exp = report.exp
    report.open(2)
    canvas = report.find("#original")
    h, w = exp.regions.shape[1:]
    size = report.js("return arguments[0].getBoundingClientRect().width", canvas)
    y, x = np.argwhere(exp.regions[2] == exp.ranking[2, 0])[0]
    offset = [int((at + 0.5) * size / w - size / 2) for at in (x, y)]
    ActionChains(report.browser).move_to_element_with_offset(canvas, *offset).perform()
    report.wait("region !== null")
    words = report.text("#region")
    assert words.startswith(f"Region 1 of {exp.n_regions[2]}")
    probability = 100 * exp.selection_probs[2, exp.ranking[2, 0]]
    assert f"{probability:.0f}" in words or f"{probability:.1f}" in words

    covariance = exp.covariance(2)
    scale = np.sqrt(np.diag(covariance))
    own = exp.ranking[2, 0]
    correlation = covariance[own] / scale[own] / scale
    kin = [int(r) for r in np.argsort(-correlation) if r != own and correlation[r] > 0.35]
    told = {int(a): float(b) for a, b in re.findall(r"(\d+) \((\d\.\d+)\)", words)}
    place = np.argsort(exp.ranking[2]) + 1
    assert kin and int(place[kin[0]]) in told
    for region in kin[:4]:
        assert told.get(int(place[region]), 0) == pytest.approx(correlation[region], abs=0.05)
    blue = report.blue_pixels(canvas)
    assert blue > 50


def test_without_a_path_the_order_can_still_be_walked(open_report, made):
    exp = replace(made.explanation, path_tau=None, path_counts=None, path_proba=None)
    report = open_report(exp, made.y)
    report.open(0)
    np.testing.assert_array_equal(report.pixels(report.find("#seen")), exp.masked_images[0])
    assert "τ" not in report.text("#tau-label")
    # Nothing is shown that the classifier did not see; what would have come next is.
    assert not report.find("#play").is_displayed()
    report.set("#tau", report.js("return byId('tau').max"))
    assert "never saw the faint regions" in report.text("#state")


def test_soft_masks_are_shown_with_their_brightness(open_report, made):
    exp = made.explanation
    soft = np.where(exp.region_masks, 0.9, 0.3).astype(np.float32)
    report = open_report(replace(exp, soft_region_masks=soft), made.y)
    report.open(0)
    seen = report.pixels(report.find("#seen")).astype(float)
    expected = exp.images[0] * np.take(soft[0], exp.regions[0])[..., None]
    np.testing.assert_allclose(seen, expected, atol=2.5)
    assert not report.find("#tau").is_displayed()


def test_images_that_are_not_square(open_report, made):
    exp = made.explanation
    wide = replace(exp, images=exp.images.repeat(2, 2), regions=exp.regions.repeat(2, 2))
    report = open_report(wide)
    report.open(3)
    np.testing.assert_array_equal(report.pixels(report.find("#seen")), wide.masked_images[3])
