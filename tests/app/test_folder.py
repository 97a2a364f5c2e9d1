"""A folder: cards as they are looked at, pictures and details by number."""

import io
import threading

import numpy as np
import pytest
from app.serving import encoded, serving
from PIL import Image

from p2pselect.app import create_app


@pytest.fixture
def folder(tmp_path):
    """Files of three gray levels, and one that is damaged."""
    files = []
    for name, content in {
        "bright/a.png": encoded(250, (200, 120)),
        "bright/b.png": encoded(10),
        "dark/c.png": b"not an image",
        "dark/d.jpg": encoded(130, (900, 600), "jpeg"),
    }.items():
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        files.append(file)
    return files


def test_all_files_get_a_card(model, folder, inbox):
    labels = [file.parent.name for file in folder]
    names = [f"{file.parent.name}/{file.name}" for file in folder]
    with serving(create_app(model, folder, labels, names=names)) as served:
        cards = {card["name"]: card for card in served.cards(4)}
        assert set(cards) == set(names)
        assert "not an image" in cards["dark/c.png"]["error"]
        told = {
            name: (card["predicted"], card["truth"], card["answered"])
            for name, card in cards.items()
            if "error" not in card
        }
        assert told == {
            "bright/a.png": (0, 0, True),
            "bright/b.png": (1, 0, True),
            "dark/d.jpg": (0, 1, False),
        }
        status, headers, content = served.request("GET", f"/{cards['dark/d.jpg']['src']}")
        assert status == 200 and headers["Content-Type"] == "image/jpeg"
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.size == (512, 341)
            assert abs(np.asarray(picture).astype(int) - 130).max() < 4
        number = cards["dark/d.jpg"]["number"]
        status, item = served.get(f"/page/details/{number}")
        assert status == 200 and item["size"] == cards["dark/d.jpg"]["size"] == [341, 512]
        assert item["steps"]["regions"][item["steps"]["stop"]] == 1
        status, said = served.get(f"/page/details/{cards['dark/c.png']['number']}")
        assert status == 422 and "not an image" in said["error"]
        assert served.get("/page/details/4")[0] == 404
        assert served.get("/page/cards/4") == (200, [])
        assert served.get("/page/cards/5")[0] == 404
    # No copy of a photograph is left when the app has ended.
    assert list(inbox.iterdir()) == []


def test_cards_without_labels_have_none(model, folder):
    with serving(create_app(model, folder[:1])) as served:
        (card,) = served.cards(1)
    assert "truth" not in card and card["name"] == str(folder[0])


def test_a_fault_of_one_image_is_said_in_its_place(model, folder, monkeypatch):
    monkeypatch.setattr("p2pselect.app._album.photograph", lambda *_: 1 / 0)
    with serving(create_app(model, folder[:1])) as served:
        (card,) = served.cards(1)
    assert "division" in card["error"]


def test_the_app_stops_in_the_middle_of_a_folder(model, folder, inbox):
    model.seconds = 0.2
    with serving(create_app(model, folder[:2] * 500)) as served:
        assert served.get("/health")[0] == 200
    assert sum(model.batches) < 900 and list(inbox.iterdir()) == []
    assert "p2pselect" not in [thread.name for thread in threading.enumerate()]
