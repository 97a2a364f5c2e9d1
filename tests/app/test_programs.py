"""What programs are told: answers, limits, refusals, and the document that describes them."""

import base64
import io
import json
import struct
import zlib

import numpy as np
import pytest
from app.serving import encoded, serving
from PIL import Image

from p2pselect.app import create_app
from p2pselect.exceptions import InputError, MissingPackageError


def test_predict(served):
    status, said = served.post("/predict", encoded(230))
    assert status == 200
    assert said["prediction"] == "bright" and said["answered"] is True
    assert said["certainty"] == said["probabilities"]["bright"] == pytest.approx(230 / 255)
    assert said["probabilities"]["dark"] == pytest.approx(25 / 255)
    assert said["kept_fraction"] == 0.5
    assert served.post("/predict", encoded(150))[1]["answered"] is False


def test_explain_gives_masks_at_the_size_of_the_image(served):
    status, said = served.post("/explain", encoded(20, (90, 40), "jpeg"))
    assert status == 200 and said["prediction"] == "dark"
    assert (said["height"], said["width"]) == (40, 90)
    head, _, code = said["mask"].partition(",")
    assert head == "data:image/png;base64"
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))
    np.testing.assert_array_equal(mask, np.tile(np.arange(90) < 45, (40, 1)))
    (piece,) = said["pieces"]
    assert piece["bbox"] == [0, 0, 45, 40] and piece["area"] == 45 * 40
    assert (said["regions"], said["kept_regions"], said["tau"]) == (2, 1, 0.5)


def described(document, name):
    """Keys that a schema allows, and those that it requires."""
    schema = document["components"]["schemas"][name]
    parts = [schema, *schema.get("allOf", [])]
    allowed, required = set(), set()
    for part in parts:
        if "$ref" in part:
            more = described(document, part["$ref"].rpartition("/")[2])
            allowed, required = allowed | more[0], required | more[1]
        allowed |= set(part.get("properties", ()))
        required |= set(part.get("required", ()))
    return allowed, required


def test_the_document_describes_what_is_answered(served):
    status, document = served.get("/openapi.json")
    assert status == 200 and document["openapi"].startswith("3.1")
    said = {
        "Answer": served.post("/predict", encoded(0)),
        "Explanation": served.post("/explain", encoded(0)),
        "Health": served.get("/health"),
        "Error": served.post("/predict", b"no image"),
    }
    for name, (_, content) in said.items():
        allowed, required = described(document, name)
        assert required <= set(content) <= allowed, name
    for path, methods in document["paths"].items():
        for method in methods:
            assert served.request(method.upper(), path, b"?")[0] in map(
                int, methods[method]["responses"]
            )
    # Every reference leads somewhere.
    for reference in set(find_references(document)):
        place = document
        for key in reference.removeprefix("#/").split("/"):
            place = place[key]


def find_references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        for inner in value.values():
            yield from find_references(inner)
    if isinstance(value, list):
        for inner in value:
            yield from find_references(inner)


def test_health_counts(served, model):
    model.batches.clear()
    for _ in range(3):
        served.post("/predict", encoded(9))
    status, said = served.get("/health")
    assert status == 200 and said["status"] == "ok" and said["classes"] == ["bright", "dark"]
    assert said["images"] == sum(model.batches) == 3
    assert said["batches"] == len(model.batches)


def claims(width, height):
    """A PNG that says that it has so many pixels, and has hardly any."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(9))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def pages():
    buffer = io.BytesIO()
    page = Image.new("L", (8, 8))
    page.save(buffer, "tiff", save_all=True, append_images=[page])
    return buffer.getvalue()


HOSTILE = {
    "nothing": (b"", 422, "the body is empty"),
    "text": (b"<script>alert(1)</script>", 422, "not an image in a known format"),
    "a path": (b"/etc/passwd", 422, "not an image in a known format"),
    "half a photograph": (encoded(99, (300, 200), "jpeg")[:-700], 422, "cannot be decoded"),
    "a bomb": (claims(60_000, 60_000), 422, "MAX_IMAGE_PIXELS"),
    "no pixels": (claims(0, 0), 422, ""),
    "pages": (pages(), 422, "has 2 pages"),
    "an array": (b"\x93NUMPY" + bytes(90), 422, "a file of NumPy"),
    "too large": (bytes(100_001), 413, "more than 100,000 bytes"),
}


@pytest.mark.parametrize("path", ["/predict", "/explain", "/page/photographs"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_image_is_refused_in_one_line(served, inbox, kind, path):
    body, expected, words = HOSTILE[kind]
    status, said = served.post(path, body)
    assert status == expected and set(said) == {"error"}
    assert words in said["error"] and "\n" not in said["error"] and len(said["error"]) < 600
    assert str(inbox) not in said["error"]
    # Nobody's file is left, and the next one is answered.
    assert [file for file in inbox.rglob("*") if file.is_file()] == []
    assert served.post("/predict", encoded(255))[1]["prediction"] == "bright"


def test_the_size_is_limited_even_if_it_is_not_stated(served):
    def parts(count):
        yield encoded(255)
        yield from [bytes(10_000)] * count

    status, said = served.post("/predict", parts(10))
    assert status == 413 and "100,000 bytes" in said["error"]
    assert served.post("/predict", parts(9))[0] == 200


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_pixels_are_limited(served, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2400)
    assert served.post("/predict", encoded(255, (60, 40)))[0] == 200
    status, said = served.post("/predict", encoded(255, (61, 40)))
    assert status == 422 and "MAX_IMAGE_PIXELS = 2400" in said["error"]


def test_a_form_is_refused_with_what_to_do(served):
    status, said = served.post(
        "/predict", b"--x", Content_Type="multipart/form-data; boundary=x"
    )
    assert status == 415 and "--data-binary" in said["error"]


def test_unknown_addresses_and_methods(served):
    assert served.get("/predict")[0] == 405 and served.post("/health", b"")[0] == 405
    for path in ("/nothing", "/page/pictures/x", "/page/pictures/..%2f..%2fetc%2fpasswd"):
        assert served.get(path) == (404, {"error": "Not Found"})
    for number in ("-1", "0", "1e3", "%D9%A1", "9" * 6000, "../0"):
        assert served.get(f"/page/details/{number}")[0] == 404
        assert number == "0" or served.get(f"/page/cards/{number}")[0] == 404


def test_a_fault_of_the_model_is_one_answer_without_details(served, model):
    model.fault = RuntimeError("secret detail")
    status, said = served.post("/predict", encoded(0))
    assert status == 500 and "secret" not in said["error"] and "\n" not in said["error"]
    model.fault = None
    assert served.post("/predict", encoded(0))[0] == 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"names": ["a", "b"]}, "names must have 1 entries"),
        ({"y": ["dark"] * 2}, "2 labels for 1 files"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"batch_wait": -1}, "batch_wait"),
        ({"batch_wait": float("nan")}, "batch_wait"),
    ],
)
def test_wrong_arguments(model, options, words):
    with pytest.raises(InputError, match=words):
        create_app(model, ["a.png"], **options)


def test_what_is_missing_is_named_with_how_to_install_it(model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "starlette", None)
    with pytest.raises(MissingPackageError, match=r'pip install "p2pselect\[app\]"'):
        create_app(model)


def test_a_class_may_have_a_name_that_is_not_text(model, inbox):
    explain = model.explain

    def renamed(X):
        from dataclasses import replace

        return replace(explain(X), classes=np.array(["caf\udce9", "</script>"]))

    model.explain = renamed
    with serving(create_app(model)) as served:
        status, said = served.post("/predict", encoded(255))
        assert status == 200 and said["prediction"].startswith("caf")
        status, _, page = served.request("GET", "/")
    assert status == 200 and page.decode("utf-8").count("</script>") == 2
    data = page.decode().partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(data)["labels"][1] == "</script>"
