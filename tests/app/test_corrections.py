"""What the page marks is kept, and what is no correction is refused."""

import json

import pytest
from app.serving import serving

from p2pselect.app import create_app
from p2pselect.datasets import Correction, read_corrections, write_corrections
from p2pselect.exceptions import InputError

SQUARE = [[[0, 0], [4, 0], [4, 3]]]


def body(image, *kinds, of=None):
    entries = [{"image": of or image, "kind": kind, "polygon": SQUARE} for kind in kinds]
    return json.dumps({"image": image, "corrections": entries}).encode()


def test_marks_of_an_image_replace_those_it_had(model, inbox, tmp_path):
    file = tmp_path / "kept.json"
    write_corrections(file, [Correction("old.png", "wrong", polygon=SQUARE)])
    with serving(create_app(model, corrections=file)) as served:
        assert served.post("/page/corrections", body("a.png", "wrong", "missing"))[0] == 200
        assert served.post("/page/corrections", body("b.png", "wrong"))[1] == {"corrections": 4}
        assert served.post("/page/corrections", body("a.png"))[1] == {"corrections": 2}
        assert [one.image for one in read_corrections(file)] == ["old.png", "b.png"]
        status, headers, content = served.request("GET", "/corrections.json")
        assert status == 200 and "attachment" in headers["Content-Disposition"]
        assert json.loads(content) == json.loads(file.read_bytes())
    assert not any(inbox.rglob("*"))


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"{}", 422, "expected"),
        (b"[" * 100_000, 422, "not JSON"),
        (body("a.png", "bad"), 422, "entry 0"),
        (body("a.png", "wrong", of="b.png"), 422, "its own image alone"),
        (b"x" * (2**20 + 1), 413, "more than 1,048,576 bytes"),
    ],
)
def test_what_is_no_correction_is_refused(content, status, message, model, inbox, tmp_path):
    file = tmp_path / "kept.json"
    with serving(create_app(model, corrections=file)) as served:
        got, said = served.post("/page/corrections", content)
        assert got == status and message in said["error"]
        assert served.get("/corrections.json")[1] == {"corrections": []}
    assert not file.exists()


def test_another_site_cannot_correct(served):
    status, _ = served.post("/page/corrections", body("a.png", "wrong"), Origin="http://evil")
    assert status == 403


def test_a_file_that_holds_something_else_is_not_replaced(model, tmp_path):
    file = tmp_path / "kept.json"
    file.write_text("{}")
    with pytest.raises(InputError, match="expected"):
        create_app(model, corrections=file)
