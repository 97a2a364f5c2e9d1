"""The page in a real browser: gallery, filters, keyboard, hostile text, screens and paper."""

from dataclasses import replace

import numpy as np
import pytest


def test_cards_show_exactly_what_the_classifier_saw(report):
    assert len(report.browser.find_elements("css selector", ".card")) == len(report.exp)
    for i in range(len(report.exp)):
        original, seen = report.card(i)
        np.testing.assert_array_equal(original, report.exp.images[i])
        np.testing.assert_array_equal(seen, report.exp.masked_images[i])


def test_filters(report, made):
    exp = report.exp
    everything = np.arange(len(exp))
    right = exp.predicted == made.y
    named = str(exp.predicted[~right][0])
    place = exp.classes.tolist().index(named)
    cases = [
        ("#by-predicted", place, exp.predicted == named),
        ("#by-truth", place, made.y == named),
        ("#by-outcome", "right", right),
        ("#by-outcome", "wrong", ~right),
        ("#by-answered", "yes", exp.answered),
        ("#by-answered", "no", ~exp.answered),
        ("#by-kept", 10, exp.kept_fraction <= 0.1),
        ("#by-kept", 0, exp.kept_fraction < 0),
    ]
    for field, value, expected in cases:
        report.set(field, value)
        assert sorted(report.shown()) == everything[expected].tolist(), (field, value)
        assert len(report.browser.find_elements("css selector", ".card")) == expected.sum()
        assert f"{expected.sum()} of {len(exp)} images" in report.text("#count")
        assert report.find("#nothing").is_displayed() == (not expected.any())
        assert report.find("#filtered").is_displayed()
        report.find("#show-all").click()
        report.wait(f"shown.length === {len(exp)}")
        assert not report.find("#filtered").is_displayed()


def test_the_page_says_by_what_it_is_filtered(report):
    report.set("#by-outcome", "wrong")
    report.set("#by-kept", 30)
    assert report.text("#filtered span") == "Filtered by: Prediction: wrong · Kept at most 30%"


def test_files_are_called_by_their_names_and_the_title_has_the_path(open_report, made):
    names = ["a/b/one.png", "a\\two.png", "three.png"]
    report = open_report(made.explanation[:3], names=names)
    for i, name in enumerate(names):
        card = report.js("return report.images[arguments[0]].card", i)
        last = card.find_elements("css selector", ".small")[-1]
        shown = last.get_attribute("textContent"), last.get_attribute("title")
        assert shown == (["one.png", "two.png", "three.png"][i], name)
    report.open(0)
    assert report.text("#detail-title") == "a/b/one.png"


def test_sorting(report):
    exp = report.exp
    for order, values in [
        ("certainty", exp.certainty),
        ("-certainty", -exp.certainty),
        ("kept", exp.kept_fraction),
        ("-kept", -exp.kept_fraction),
        ("predicted", exp.proba.argmax(axis=1)),
    ]:
        report.set("#sort", order)
        assert (np.diff(values[report.shown()]) >= -1e-3).all(), order
    report.set("#sort", "given")
    assert report.shown() == list(range(len(exp)))


def test_wrong_predictions_come_first_and_then_what_is_not_answered(open_report, made):
    answered = np.isin(np.arange(12), (2, 4, 10), invert=True)
    exp = replace(made.explanation, answered=answered)
    y = exp.predicted.copy()
    y[[4, 9]] = y[[9, 4]]
    first = [4, 9, 2, 10]  # of the wrong ones, too, those that are not answered
    rest = [i for i in range(12) if i not in first]
    report = open_report(exp, y)
    report.set("#sort", "doubt")
    assert report.shown() == first + rest
    assert "83% right, 3 not answered" in report.text("#count")
    unknown = open_report(exp)
    unknown.set("#sort", "doubt")
    assert unknown.shown() == [2, 4, 10, *np.flatnonzero(answered).tolist()]
    assert unknown.text("#sort option:checked") == "not answered first"


def test_the_page_says_why_images_are_not_answered(open_report, made):
    exp = made.explanation
    low = float(np.sort(exp.familiarity)[4])
    unfamiliar = exp.familiarity < low
    uncertain = ~exp.answered
    assert unfamiliar.sum() == 4 and uncertain.any()
    exp = replace(exp, answered=~(unfamiliar | uncertain), lowest_familiarity=low)
    report = open_report(exp, made.y)
    for reason, expected in [("unfamiliar", unfamiliar), ("uncertain", uncertain)]:
        report.set("#by-answered", reason)
        assert sorted(report.shown()) == np.flatnonzero(expected).tolist()
    report.set("#by-answered", "")
    odd = int(np.flatnonzero(unfamiliar & ~uncertain)[0])
    words = f"unlike what it learned from (familiarity {exp.familiarity[odd]:.3g}"
    assert words in report.js("return report.images[arguments[0]].card.textContent", odd)
    report.open(odd)
    assert f"not answered, {words}" in report.text("#verdict")
    report.open(int(np.flatnonzero(exp.answered)[0]))
    assert "answered (" in report.text("#verdict")
    # With one reason for all of them there is nothing to choose.
    alone = open_report(made.explanation)
    assert alone.js("return byId('by-answered').length") == 3


def test_everything_works_with_the_keyboard(report):
    from selenium.webdriver import Keys

    card = report.browser.find_elements("css selector", ".card")[1]
    report.js("arguments[0].focus()", card)
    report.press(Keys.ENTER)
    report.wait("dialog.open && current === report.images[1]")
    report.wait("byId('state').textContent !== ''")
    report.press("n")
    report.wait("current === report.images[2]")
    report.press("p")
    report.wait("current === report.images[1]")
    report.js("byId('tau').focus()")
    value = report.js("return Number(byId('tau').value)")
    report.press(Keys.ARROW_RIGHT)
    assert report.js("return Number(byId('tau').value)") == value + 1
    report.js("byId('seen').focus()")
    report.press(Keys.ARROW_RIGHT)
    assert report.text("#region").startswith("Region 1 ")
    report.press(Keys.ARROW_RIGHT)
    assert report.text("#region").startswith("Region 2 ")
    report.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert report.text("#region").startswith("Region 1 ")
    report.press(Keys.ESCAPE)
    report.wait("!dialog.open")
    assert report.js("return document.activeElement") == card


def test_tab_reaches_filters_and_cards_and_stays_in_the_dialog(report):
    from selenium.webdriver import Keys

    reached = []
    # Past the numbers of the confusion matrix, of which there may be many.
    report.press(Keys.TAB)
    assert report.text(":focus") == "Skip to the images"
    report.press(Keys.ENTER)
    for _ in range(9):
        report.press(Keys.TAB)
        reached.append(
            report.js("return document.activeElement.id || document.activeElement.className")
        )
    fields = ["by-truth", "by-predicted", "by-outcome", "by-answered", "by-kept", "sort"]
    assert reached[:6] == fields
    assert "card" in reached
    report.open(0)
    for _ in range(12):
        report.press(Keys.TAB)
        focus = report.js("return document.activeElement")
        assert report.js("return arguments[0].matches('body, #detail, #detail *')", focus)


def test_everything_has_a_name(report):
    report.open(0)
    missing = report.js("""
      const named = (e) => e.alt || e.getAttribute('aria-label') || e.labels?.length ||
        e.textContent.trim();
      return [...document.querySelectorAll('img, canvas, button, select, input')]
        .filter((e) => !e.closest('[role=img]') || e.getAttribute('role'))
        .filter((e) => !named(e)).map((e) => e.outerHTML);
    """)
    assert missing == []


def test_hostile_labels_and_names_stay_text(open_report, made):
    label = "</script><img src=x onerror=alert(1)>"
    classes = np.array([label, "<b>digit 1</b>", *map(str, range(8))])
    exp = replace(made.explanation, classes=classes)
    report = open_report(exp, exp.predicted, names=[label] * 12, title=label)
    assert report.browser.title == label
    assert report.text("h1") == label
    report.open(0)
    assert report.text("#detail-title") == label
    assert report.js("return document.querySelectorAll('b, [onerror]').length") == 0
    options = report.js("return [...byId('by-predicted').options].map((o) => o.textContent)")
    used = {str(value) for value in exp.predicted}
    assert set(options[1:]) == used


@pytest.mark.parametrize("width", [320, 400])
def test_narrow_screens_need_no_sideways_scrolling(report, width):
    report.resize(width, 800)
    assert report.js("return document.documentElement.scrollWidth") <= width
    report.open(0)
    assert report.js("return dialog.scrollWidth <= dialog.clientWidth")
    tops = [report.js("return byId(arguments[0]).offsetTop", name) for name in ("walk", "bars")]
    assert tops[0] < tops[1]


@pytest.mark.parametrize("width", [320, 1280])
def test_learning_curves_fit_onto_the_screen(open_report, made, width):
    history = [{"train_loss": 1.0, "valid_acc": 0.5, "valid_kept": 0.4}] * 3
    report = open_report(made.explanation, history=history)
    report.resize(width, 800)
    for chart in report.browser.find_elements("css selector", ".curves svg"):
        assert chart.is_displayed() and 200 < chart.size["width"] < width
        # No name of a curve is cut off.
        assert report.js(
            "return [...arguments[0].querySelectorAll('text')].every((text) => "
            "text.getBoundingClientRect().right <= arguments[0].getBoundingClientRect().right)",
            chart,
        )
    assert report.js("return document.documentElement.scrollWidth") <= width


def test_dark_mode(report):
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = report.js(ground)
    feature = {"name": "prefers-color-scheme", "value": "dark"}
    report.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    dark = report.js(ground)
    levels = [sum(map(int, color[4:-1].split(","))) for color in (light, dark)]
    assert levels[0] > 600 and levels[1] < 150


def test_print_leaves_out_what_cannot_be_used_on_paper(report):
    report.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not report.find("#filters").is_displayed()
    assert report.find("#gallery").is_displayed() and report.find("table").is_displayed()
    report.open(0)
    assert not report.find("main").is_displayed() and not report.find("#play").is_displayed()
    assert report.find("#seen").is_displayed() and report.find("#bars").is_displayed()


def test_a_sample_says_that_it_is_one(open_report, made):
    report = open_report(made.explanation, made.y, max_images=4)
    assert report.text("#count") == (
        "4 of 4 images, 1 of them wrong, 1 not answered; "
        "the page has all 1 wrong predictions and 3 of 11 right answers (evenly spaced)"
    )


def test_without_labels_there_is_no_filter_for_answers(open_report, made):
    report = open_report(made.explanation)
    assert not report.find("#by-outcome").is_displayed()
    assert not report.find("#by-truth").is_displayed()
    assert report.find("#by-answered").is_displayed()
