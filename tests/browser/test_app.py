"""The app in a real browser: photographs are dropped, a folder is browsed."""

import pytest
from app.serving import HalfModel, encoded, serving

from p2pselect.app import create_app


@pytest.fixture
def photos(tmp_path):
    """Files to drop, and a folder of three to browse, one of them wrong and one damaged."""
    contents = {
        "new.png": encoded(240, (300, 200)),
        "unsure.png": encoded(120, (200, 300)),
        "broken.png": b"no image",
        "folder/right.png": encoded(250),
        "folder/wrong.png": encoded(20),
        "folder/damaged.png": b"",
    }
    for name, content in contents.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    return tmp_path


@pytest.fixture
def app(photos, open_app):
    """An app that is open, with a folder."""
    files = [photos / "folder" / name for name in ("right.png", "wrong.png", "damaged.png")]
    names = [file.name for file in files]
    made = create_app(
        HalfModel(), files, ["bright"] * 3, names=names, title="<b>Mine</b>", max_bytes=10**6
    )
    with serving(made) as served:
        page = open_app(served.url)
        page.wait("items.length === 2 && byId('album-progress').hidden")
        yield page
        # Before the server ends.
        page.browser.get("about:blank")


def drop(app, *files):
    """Choose files; a real drag cannot come from outside of a headless browser."""
    app.find("#files").send_keys("\n".join(map(str, files)))


def test_a_dropped_photograph_opens_with_what_its_answer_is_based_on(app, photos):
    drop(app, photos / "new.png")
    app.wait("dialog.open && picture && current.name === 'new.png'")
    assert app.text("#detail-title") == "new.png"
    assert "bright: answered (94%, asked for 80%)" in app.text("#verdict")
    assert "50% of the pixels, 1 of 2 regions" in app.text("#tau-label")
    levels = app.js("""
      const canvas = byId('seen');
      const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const middle = 4 * canvas.width * Math.floor(canvas.height / 2);
      return [0.1, 0.4, 0.6, 0.9].map(
        (x) => pixels.data[middle + 4 * Math.floor(x * canvas.width)]);
    """)
    assert min(levels[:2]) > 230 and max(levels[2:]) == 0
    app.set("#tau", app.js("return byId('tau').max"))
    assert "never saw the faint regions" in app.text("#state")
    assert app.text("#asking") == "The photograph is the first one below."


def test_several_with_one_that_is_refused(app, photos):
    drop(app, photos / "new.png", photos / "broken.png", photos / "unsure.png")
    app.wait("byId('asking').textContent.includes('refused')")
    assert app.text("#asking") == "1 of 3 refused:"
    assert app.text("#refused").startswith("broken.png: not an image in a known format")
    assert app.js("return dialog.open") is False
    names = app.js("return shown.map((item) => item.name)")
    # The new ones first, although nothing of them is known to be wrong.
    assert set(names[:2]) == {"new.png", "unsure.png"} and names[2:] == [
        "wrong.png",
        "right.png",
    ]
    assert app.text("#count") == "4 of 4 images, 50% right, 1 not answered"
    app.set("#by-answered", "no")
    assert app.js("return shown.map((item) => item.name)") == ["unsure.png"]


def test_the_folder_can_be_filtered_and_opened(app):
    assert app.text("#album-label") == "All 2 photographs of the folder are below."
    assert app.text("#unreadable summary") == "1 file of the folder cannot be read"
    assert "damaged.png" in app.text("#unreadable ul")
    app.set("#by-outcome", "wrong")
    assert app.js("return shown.map((item) => item.name)") == ["wrong.png"]
    assert app.js("return [...byId('by-predicted').options].map((o) => o.textContent)") == [
        "any",
        "bright",
        "dark",
    ]
    app.find(".card").click()
    app.wait("dialog.open && picture && current.name === 'wrong.png'")
    assert "✗ dark (is bright)" in app.text("#verdict")
    # Its picture came by itself, and is decoded.
    assert app.js("return shown[0].card.querySelector('img').naturalWidth") == 60


def test_all_of_it_can_be_done_with_the_keyboard(app):
    from selenium.webdriver import Keys

    app.press(Keys.TAB)
    assert app.js("return document.activeElement.id") == "files"
    ring = "return getComputedStyle(byId('drop')).outlineStyle"
    assert app.js(ring) == "solid"
    for _ in range(12):
        app.press(Keys.TAB)
        if app.js("return document.activeElement.className") == "card":
            break
    app.press(Keys.ENTER)
    app.wait("dialog.open && picture && current.name === 'wrong.png'")
    app.press("n")
    app.wait("current.name === 'right.png'")
    app.press(Keys.ESCAPE)
    assert app.js("return document.activeElement.className") == "card"


@pytest.mark.parametrize("width", [320, 390])
def test_it_fits_onto_a_phone(app, photos, width):
    app.resize(width, 844)
    drop(app, photos / "broken.png")
    app.wait("!byId('refused').hidden")
    assert app.js("return document.documentElement.scrollWidth") <= width
    app.find(".card").click()
    app.wait("dialog.open && picture")
    assert app.js("return dialog.scrollWidth <= dialog.clientWidth")


def test_titles_are_text(app):
    assert app.text("h1") == app.browser.title == "<b>Mine</b>"


def test_cards_stay_where_they_are_while_somebody_chooses(app):
    app.js("byId('gallery').querySelector('.card').focus()")
    assert app.js("return isInUse()") is True
    app.js("document.activeElement.blur()")
    assert app.js("return isInUse()") is False


def test_without_a_folder_there_is_only_the_question(open_app, photos):
    with serving(create_app(HalfModel(), max_bytes=1000)) as served:
        page = open_app(served.url)
        assert not page.find("#images").is_displayed()
        assert not page.find("#album").is_displayed()
        (photos / "big.png").write_bytes(bytes(1001))
        drop(page, photos / "big.png")
        page.wait("!byId('refused').hidden")
        assert page.text("#refused") == "big.png: the file has more than 1,000 bytes"
        drop(page, photos / "new.png")
        page.wait("dialog.open")
        assert page.find("#images").is_displayed()
        page.browser.get("about:blank")
