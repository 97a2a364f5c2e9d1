"""The confusion matrix in a real browser: every number shows the images that it counts."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sick_leaves import PROBA, Y, sick_leaves

NUMBERS = "return [...document.querySelectorAll('#confusion button')]"


def with_classes(made, n_classes, n_images):
    """An explanation and labels in which classes are confused at random."""
    rng = np.random.default_rng(n_classes)
    rows = np.arange(n_images) % len(made.explanation)
    names = np.array([f"class <{i}>" for i in range(n_classes)])
    true, said = rng.integers(0, n_classes, (2, n_images))
    said = np.where(rng.random(n_images) < 0.6, true, said)
    proba = np.full((n_images, n_classes), 0.1 / n_classes)
    proba[np.arange(n_images), said] += 0.9
    exp = replace(
        made.explanation[rows], classes=names, proba=proba.astype(np.float32), path_proba=None
    )
    return exp, names[true]


def number(report, true, said):
    codes = f'[data-truth="{true}"][data-predicted="{said}"]'
    return report.find(f"#confusion button{codes}")


@pytest.mark.parametrize(("n_classes", "n_images"), [(2, 24), (12, 60), (60, 120)])
def test_every_number_shows_the_images_that_it_counts(open_report, made, n_classes, n_images):
    exp, y = with_classes(made, n_classes, n_images)
    report = open_report(exp, y)
    place = {name: i for i, name in enumerate(exp.classes.tolist())}
    pairs = [
        (place[t], place[p]) for t, p in zip(y.tolist(), exp.predicted.tolist(), strict=True)
    ]
    expected = Counter(pairs)
    found = report.js(
        f"{NUMBERS}.map((one) => [Number(one.dataset.truth), Number(one.dataset.predicted),"
        " Number(one.textContent.split(': ').at(-1))])"
    )
    assert {(true, said): n for true, said, n in found} == expected
    assert len(found) == len(expected)
    wrong = [pair for pair in expected if pair[0] != pair[1]]
    for pair in wrong[:3] + [(y_, y_) for y_ in (pairs[0][0],) if (y_, y_) in expected]:
        report.set("#by-outcome", "right")  # which the number sets free
        number(report, *pair).click()
        assert report.shown() == [i for i, own in enumerate(pairs) if own == pair]
        names = [exp.classes[code] for code in pair]
        said = f"Filtered by: True class: {names[0]} · Predicted class: {names[1]}"
        assert report.text("#filtered span") == said
        pressed = report.js(f"{NUMBERS}.filter((one) => one.ariaPressed === 'true').length")
        assert pressed == 1


def test_the_whole_way_with_the_keyboard(report, made):
    from selenium.webdriver import Keys

    (image,) = np.flatnonzero(report.exp.predicted != made.y)
    place = report.exp.classes.tolist().index
    wrong = number(report, place(made.y[image]), place(report.exp.predicted[image]))
    report.js("arguments[0].focus()", wrong)
    report.set("#sort", "kept")
    report.press(Keys.ENTER)
    assert report.shown() == [image] and report.js("return byId('sort').value") == "kept"
    assert report.js("return document.activeElement.id") == "show-all"
    report.press(Keys.TAB, Keys.ENTER)
    report.wait("dialog.open && picture")
    report.press(Keys.ESCAPE)
    report.wait("!dialog.open")
    report.js("byId('show-all').focus()")
    report.press(Keys.ENTER)
    report.wait(f"shown.length === {len(report.exp)}")
    # Back to the number, where another one can be chosen.
    assert report.js("return document.activeElement") == wrong
    report.press(Keys.ENTER)
    report.js("arguments[0].focus()", wrong)
    report.press(Keys.ENTER)
    report.wait(f"shown.length === {len(report.exp)}")


def test_the_images_come_into_view(open_report, made):
    report = open_report(*with_classes(made, 60, 120))
    report.browser.find_elements("css selector", "#confusion button")[0].click()
    assert -1 <= report.js("return byId('images').getBoundingClientRect().top") < 20


@pytest.mark.parametrize("n_classes", [2, 12, 60])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits_onto_the_screen(open_report, made, n_classes, width):
    report = open_report(*with_classes(made, n_classes, 120))
    report.resize(width, 800)
    assert report.js("return document.documentElement.scrollWidth") <= width
    box = report.find("#confusion .scroll")
    assert report.js("return arguments[0].scrollWidth <= arguments[0].clientWidth", box)


def test_numbers_of_a_sample_count_all_images_and_every_error_is_there(open_report, made):
    exp, y = with_classes(made, 3, 60)
    # The last class is never confused, so that no image of it is on the page.
    last = exp.classes[2]
    clear = (y == last) == (exp.predicted == last)
    exp, y = exp[clear], y[clear]
    report = open_report(exp, y, max_images=1)
    assert f"All {len(y)} images are counted; the page has all" in report.text("caption")
    # A class all of whose right answers are left out can be chosen nevertheless.
    for true in range(3):
        number(report, true, true).click()
        assert report.shown() == []
        assert report.js("return byId('by-truth').value") == str(true)
    found = report.js(f"{NUMBERS}.filter((one) => one.className.startsWith('wrong'))")
    total = sum(int(one.get_attribute("textContent")) for one in found)
    assert total == (exp.predicted != y).sum() == report.js("return items.length")


def test_of_several_labels_every_row_has_four_outcomes(open_report):
    report = open_report(sick_leaves(), Y)
    said = PROBA > 0.5
    for label in range(3):
        for true in (0, 1):
            for predicted in (0, 1):
                rows = np.flatnonzero((Y[:, label] == true) & (said[:, label] == predicted))
                codes = f"{true}{label}", f"{predicted}{label}"
                if len(rows):
                    one = number(report, *codes)
                    assert one.text == str(len(rows))
                    one.click()
                    assert sorted(report.shown()) == rows.tolist()
    number(report, "02", "02").click()
    assert report.text("#filtered span").endswith("Predicted class: no phoma")
    # With a target, nothing is known of the other labels.
    report = open_report(sick_leaves(target=1), Y)
    rows = report.browser.find_elements("css selector", "#confusion tbody th")
    assert [row.text for row in rows] == ["rust"]
    options = report.js("return [...byId('by-truth').options].map((o) => o.textContent)")
    assert options == ["any", "rust", "no rust"]


def test_without_labels_there_is_none(open_report, made):
    report = open_report(made.explanation)
    assert report.js(f"{NUMBERS}.length") == 0
