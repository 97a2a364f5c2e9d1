"""The file: self-contained, escaped, small, written in one step."""

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from explanations.photographs import COLORS, explained, quarters
from PIL import Image

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.explanations import example_explanation, repr_html, write_html
from p2pselect.explanations.figures._words import percent
from p2pselect.images import ImageSequence, as_images
from p2pselect.metrics import calibration_error_floor

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<b>digit 1</b>",
    "<!--SUMMARY--><!--",
    "'\"&amp;",
    "line\u2028end\nnext",
    "\\u003c/script>",
    "javascript:alert(1)",
    "<style>*{display:none}</style>",
    "{{7*7}}${x}",
    "plain",
]


class Page(HTMLParser):
    """Elements with their attributes, and the text of script elements."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self._open = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open == "script":
            self.scripts[-1] += data


def written(tmp_path, exp, *args, **options) -> str:
    write_html(exp, tmp_path / "report.html", *args, **options)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def data_of(text) -> dict:
    return json.loads(Page(text).scripts[0])


def test_labels_and_names_are_never_markup(made, tmp_path):
    exp = replace(made.explanation, classes=np.array(HOSTILE))
    place = {str(label): i for i, label in enumerate(made.explanation.classes)}
    y = np.array([HOSTILE[place[label]] for label in made.y])
    names = [HOSTILE[i % 10] for i in range(len(exp))]
    text = written(tmp_path, exp, y, names=names, title=HOSTILE[0])
    assert "<b>digit 1</b>" not in text and "<img src=x" not in text
    assert "<style>*" not in text
    page = Page(text)
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert [tag for tag, _ in page.elements].count("script") == 2
    data = data_of(text)
    assert data["labels"] == HOSTILE
    assert [item["name"] for item in data["images"]] == names


def test_nothing_is_loaded_from_outside(made, tmp_path):
    text = written(tmp_path, made.explanation, made.y)
    for _, attributes in Page(text).elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
    assert "http:" not in text and "https:" not in text and "@import" not in text
    policy = next(a["content"] for t, a in Page(text).elements if "http-equiv" in a)
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_fifty_images_of_224_pixels_stay_below_2_megabytes(tmp_path):
    made = example_explanation(5, 224, 100)
    often = np.arange(50) % 5
    exp = made.explanation[often]
    noise = np.random.default_rng(0).integers(-12, 13, exp.images.shape)
    noisy = replace(exp, images=np.clip(exp.images + noise, 0, 255).astype(np.uint8))
    write_html(noisy, tmp_path / "a.html", made.y[often], object_masks=made.object_masks[often])
    assert 500_000 < (tmp_path / "a.html").stat().st_size <= 2_000_000


def test_figures_at_the_top_count_all_images(made, tmp_path):
    exp = made.explanation
    text = written(tmp_path, exp, made.y, max_images=3)
    data = data_of(text)
    (wrong,) = np.flatnonzero(exp.predicted != made.y)
    names = {item["name"] for item in data["images"]}
    assert names == {"Image 0", f"Image {wrong}", "Image 11"}
    assert "Shown: all 1 wrong predictions and 2 of 11 right answers (evenly spaced)." in text
    right = np.mean(exp.predicted == made.y)
    assert f"<dd>{100 * right:.0f}%</dd>" in text and "<dd>12</dd>" in text


@pytest.mark.parametrize("max_images", [1, 5, 14, 40, 59, 60, 200])
def test_no_wrong_answer_is_left_out(made, tmp_path, max_images):
    rows = np.arange(60) % 12
    exp = made.explanation[rows]
    y = exp.predicted.copy()
    wrong = np.random.default_rng(0).permutation(60)[:14]
    y[wrong] = np.roll(exp.classes, 1)[exp.proba[wrong].argmax(axis=1)]
    exp = replace(exp, answered=rows != 3)  # five images are not, of which some are wrong
    silent = set(np.flatnonzero(rows == 3)) - set(wrong)
    assert 0 < len(silent) < 5
    data = data_of(written(tmp_path, exp, y, max_images=max_images))
    shown = [int(item["name"].split()[1]) for item in data["images"]]
    assert shown == sorted(set(shown)) and set(wrong) <= set(shown)
    assert len(shown) == min(60, max(14, max_images))
    assert len(silent & set(shown)) == min(len(silent), len(shown) - 14)
    if max_images == 40:
        right = 46 - len(silent)
        assert data["sample"] == (
            f"all 14 wrong predictions, all {len(silent)} right ones that are not answered and "
            f"{26 - len(silent)} of {right} right answers (evenly spaced)"
        )
    assert bool(data["sample"]) == (max_images < 60)


def test_of_images_without_labels_an_even_sample_is_shown(made, tmp_path):
    exp = replace(made.explanation, answered=np.ones(12, bool))
    data = data_of(written(tmp_path, exp, max_images=3))
    assert [item["name"] for item in data["images"]] == ["Image 0", "Image 6", "Image 11"]
    assert data["sample"] == "3 of 12 answered images (evenly spaced)"


def test_what_is_not_answered_comes_before_the_sample(made, tmp_path):
    exp = replace(made.explanation, answered=np.isin(np.arange(12), (2, 7), invert=True))
    data = data_of(written(tmp_path, exp, max_images=4))
    names = [item["name"] for item in data["images"]]
    assert names == ["Image 0", "Image 2", "Image 7", "Image 11"]
    assert data["sample"] == (
        "all 2 images that are not answered and 2 of 10 answered images (evenly spaced)"
    )
    nothing = replace(exp, answered=np.zeros(12, bool))
    data = data_of(written(tmp_path, nothing, max_images=4))
    assert data["sample"] == "4 of 12 images that are not answered (evenly spaced)"
    assert not any(item["answered"] for item in data["images"])


def test_the_work_grows_with_the_number_of_images_not_with_its_square(
    made, tmp_path, monkeypatch
):
    exp = made.explanation[np.arange(100) % 12]
    computed = {}
    for name in ("ranking", "region_areas", "kept_fraction", "certainty", "n_regions"):
        own = vars(ExplanationArrays)[name].fget

        def counted(self, own=own, name=name):
            computed[name] = computed.get(name, 0) + len(self)
            return own(self)

        monkeypatch.setattr(ExplanationArrays, name, property(counted))
    exp.to_html(tmp_path / "a.html", y=exp.predicted)
    assert computed["ranking"] == 100 and max(computed.values()) <= 10 * 100


def test_every_photograph_is_read_once_for_the_page(tmp_path, monkeypatch):
    read = []
    own = ImageSequence.thumbnail
    monkeypatch.setattr(
        ImageSequence, "thumbnail", lambda *args: read.append(args) or own(*args)
    )
    for n in (10, 40):
        read.clear()
        exp = explained([COLORS[quarters(96, 128)]] * n)
        # Every one of the two classes has at most three examples of three typical regions.
        data = data_of(written(tmp_path, exp))
        assert len(data["images"]) == n and n <= len(read) <= n + 18


def test_photographs_on_the_page_are_smaller_where_there_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr("p2pselect.explanations.report._page._MOST_SHARP", 3)
    exp = explained([COLORS[quarters(700, 1400)]] * 12)

    def sizes(**options):
        data = data_of(written(tmp_path, exp, **options))
        return {tuple(item["size"]) for item in data["images"]}

    # A quarter of the pixels for four times as many images.
    assert sizes() == {(128, 256)}
    assert sizes(max_images=3) == {(256, 512)}
    assert sizes(max_side=100) == {(50, 100)}
    assert sizes(max_images=2, max_side=1000) == {(500, 1000)}


def test_a_photograph_of_reading_size_has_at_most_a_hundred_kilobytes(tmp_path):
    rng = np.random.default_rng(0)
    # As much detail as a photograph of foliage has.
    noise = rng.integers(0, 90, (512, 512, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(noise).resize((256, 256)).resize((512, 512)))
    exp = explained([COLORS[quarters(512, 512)] - smooth // 3])
    assert len(written(tmp_path, exp)) < 60_000 + 100_000


def test_two_thousand_photographs_have_room_in_forty_megabytes(tmp_path):
    exp = example_explanation(6, 224, 100).explanation
    noise = np.random.default_rng(0).normal(0, 6, (6, 512, 512, 3))
    enlarged = [np.asarray(Image.fromarray(image).resize((512, 512))) for image in exp.images]
    pixels = (np.stack(enlarged) + noise).clip(0, 255).astype(np.uint8)
    exp = replace(exp, originals=as_images(pixels), original_sizes=np.full((6, 2), 512))
    # What the page has beside its cards is about all images in any case.
    few, all_ = (len(written(tmp_path, exp, max_images=n, max_side=256)) for n in (2, 6))
    # Photographs with more detail need a little more than these do.
    assert 15_000 < (all_ - few) / 4 <= 37e6 / 2000


def test_classes_without_a_row_are_counted(made, tmp_path):
    exp = made.explanation[np.arange(120) % 12]
    proba = np.eye(300, dtype=np.float32)[np.arange(120) // 2]
    many = replace(exp, proba=proba, classes=np.arange(300), path_proba=None)
    text = written(tmp_path, many)
    assert (
        "Left out: 10 classes that are predicted less often and 240 classes that are never "
        "predicted." in text
    )
    fifty = replace(many[:100], proba=proba[:100, :50], classes=np.arange(50))
    assert "Left out:" not in written(tmp_path, fifty)


def test_right_and_wrong_as_given(made, tmp_path):
    data = data_of(written(tmp_path, made.explanation, made.y.tolist()))
    found = [item["truth"] == item["predicted"] for item in data["images"]]
    assert found == (made.explanation.predicted == made.y).tolist()


def test_the_figures_at_the_top(made, tmp_path):
    exp = made.explanation
    # Three of the twelve are right, whatever the classifier thinks of its answers.
    y = np.where(np.arange(12) < 3, exp.predicted, exp.classes[0])
    y[3:] = np.where(exp.predicted[3:] == exp.classes[0], exp.classes[1], exp.classes[0])
    exp = replace(exp, answered=np.arange(12) < 4)
    text = written(tmp_path, exp, y)
    facts = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert facts["images"] == "12"
    assert facts["answered (≥ 95% certain)"] == "33%"
    assert facts["right, of the answered"] == "75%"
    assert facts["right, of all"] == "25%"
    assert facts["pixels shown, of the answered"] == percent(exp[:4].kept_fraction.mean())
    assert facts["pixels shown, of all"] == percent(exp.kept_fraction.mean())
    text = written(tmp_path, replace(exp, answered=np.zeros(12, bool)), y)
    facts = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert facts["right, of all"] == "25%" and "right, of the answered" not in facts
    assert facts["answered (≥ 95% certain)"] == "0%"


def test_what_the_certainty_is_worth(made, tmp_path):
    exp = made.explanation
    proba = np.full((12, 2), [0.75, 0.25])
    proba[8:] = 0.125, 0.875
    exp = replace(exp, proba=proba, classes=np.array(["a", "b"]), path_proba=None)
    y = np.array(["a"] * 6 + ["b"] * 6)
    text = written(tmp_path, exp, y)
    # Of the first eight six are right, as they say; of the last four all, which is more.
    assert "is <strong>4.2%</strong>" in text
    floor = calibration_error_floor(exp.certainty)
    assert f"be <strong>{percent(floor)}</strong>" in text and 0.05 < floor < 0.2
    assert "8 images, 75% certain: 75% right" in text
    assert "4 images, 88% certain: 100% right" in text
    dots = re.findall(r'<circle class="end-1" cx="(.*?)" cy="(.*?)"', text)
    # 220 pixels for 100 %, from the lower left corner.
    assert dots == [("227.0", "69.0"), ("254.5", "14.0")]
    assert "What the certainty is worth" not in written(tmp_path, exp)


def test_without_labels_nothing_is_right_or_wrong(made, tmp_path):
    text = written(tmp_path, made.explanation)
    data = data_of(text)
    assert not data["hasTruth"] and "truth" not in data["images"][0]
    assert "right, of" not in text and "pixels shown, of all" in text


@pytest.mark.parametrize("kind", [int, bool, float, object])
def test_labels_of_any_type(made, tmp_path, kind):
    exp = made.explanation
    classes = np.arange(2).astype(kind)
    two = replace(exp, classes=classes, proba=exp.proba[:, :2], path_proba=None)
    data = data_of(written(tmp_path, two, two.predicted))
    assert data["labels"] == [str(value) for value in classes.tolist()]


def test_a_true_label_that_the_model_does_not_know(made, tmp_path):
    y = made.y.astype(object)
    y[0] = "unheard of"
    data = data_of(written(tmp_path, made.explanation, y))
    assert data["labels"][data["images"][0]["truth"]] == "unheard of"
    assert data["classes"] == 10


def test_file_names_that_are_no_text(made, tmp_path):
    names = [os.fsdecode(b"\xff.jpg")] * 12
    assert written(tmp_path, made.explanation, names=names, title=names[0])


def test_one_image_tau_one_and_no_path(made, tmp_path):
    one = replace(made.explanation[:1], tau=np.ones(1), path_tau=None, path_counts=None)
    assert len(data_of(written(tmp_path, one))["images"]) == 1


def test_a_failure_leaves_the_old_file_and_nothing_else(made, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full"))
    )
    with pytest.raises(OSError, match="full"):
        write_html(made.explanation, path)
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_folder_is_made_and_a_file_in_the_way_found_before_the_work(
    made, tmp_path, monkeypatch
):
    write_html(made.explanation[:1], tmp_path / "no" / "such" / "a.html")
    assert (tmp_path / "no" / "such" / "a.html").is_file()
    monkeypatch.setattr("p2pselect.explanations.report._page.class_table", pytest.fail)
    with pytest.raises(InputError, match="a.html is not a folder"):
        write_html(made.explanation, tmp_path / "no" / "such" / "a.html" / "b.html")
    with pytest.raises(InputError, match="such is a folder"):
        write_html(made.explanation, tmp_path / "no" / "such")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": ["1"]}, "y must have one label per image: got 1 labels for 12 images"),
        ({"names": ["a"]}, "names must have 12 entries, got 1"),
        ({"max_images": 0}, "max_images must be at least 1, got 0"),
        ({"max_side": 0}, "max_side must be at least 1, got 0"),
        ({"object_masks": np.zeros((1, 64, 64), bool)}, "object_masks"),
    ],
)
def test_what_does_not_fit_is_refused(made, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        write_html(made.explanation, tmp_path / "a.html", **change)


def test_a_continuous_mask_is_not_said_to_remove(made, tmp_path):
    exp, path = made.explanation, tmp_path / "r.html"
    write_html(exp, path)
    assert "everything black was removed" in path.read_text()
    write_html(replace(exp, soft_region_masks=exp.selection_probs), path)
    text = path.read_text()
    assert "everything black was removed" not in text and "brightness of its own" in text


def test_no_image(made, tmp_path):
    with pytest.raises(InputError, match="at least one image"):
        write_html(made.explanation[:0], tmp_path / "a.html")


def test_to_html_is_the_same(made, tmp_path):
    made.explanation.to_html(tmp_path / "a.html", made.y, title="T")
    write_html(made.explanation, tmp_path / "b.html", made.y, title="T")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_notebook_display(made):
    exp = replace(made.explanation, classes=np.array(HOSTILE[:2] * 5))
    batch, one = repr_html(exp), repr_html(exp[0])
    assert batch.count("<img") == 12 and "The first 6" in batch
    assert one.count("<img") == 2 and "95%" in one
    assert "script>" not in batch and "<b>digit" not in batch and "&lt;" in batch
    assert not re.search(r'src="(?!data:)', batch + one)
    some = replace(exp, answered=np.arange(12) > 1)
    assert repr_html(some).count("not answered") == 2
    assert "not answered: never certain enough (" in repr_html(some[0])
    assert "not answered" not in repr_html(some[5])
    assert "<img" not in repr_html(exp[:0])
