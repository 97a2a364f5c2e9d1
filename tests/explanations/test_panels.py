"""Whole figures: one image, a page of images."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from p2pselect.exceptions import InputError
from p2pselect.explanations import (
    plot_embedding,
    plot_explanation,
    plot_heat_map,
    plot_masked_image,
    plot_page,
    plot_regions,
)


def texts(figure) -> str:
    found = [text.get_text() for ax in figure.axes for text in ax.texts]
    found += [ax.get_title(loc) for ax in figure.axes for loc in ("center", "left")]
    found += [ax.get_xlabel() for ax in figure.axes]
    return "\n".join([*found, figure.get_suptitle(), figure.get_supxlabel()])


def test_explanation_says_class_certainty_and_sparsity(made):
    exp = made.explanation
    words = texts(plot_explanation(exp, 2))
    assert f"Predicted: {exp.predicted[2]}" in words
    assert "asked for 95%" in words and f"τ = {exp.tau[2]:.2f}" in words


def test_explanation_without_embeddings_has_three_panels(made):
    bare = replace(made.explanation, region_embeddings=None)
    titles = [ax.get_title() for ax in plot_explanation(bare).axes if ax.get_title()]
    assert titles == ["regions", "what the classifier saw", "selection probability"]


def test_masked_panel_shows_exactly_what_the_classifier_saw(made):
    exp = made.explanation
    shown = plot_masked_image(exp, 1).images[0].get_array()
    np.testing.assert_array_equal(shown, exp.masked_images[1])


def test_heat_map_shows_the_probabilities_on_a_fixed_scale(made):
    picture = plot_heat_map(made.explanation, 1).images[0]
    np.testing.assert_array_equal(picture.get_array(), made.explanation.heat_maps[1])
    assert picture.get_clim() == (0, 1)


@pytest.mark.parametrize(
    "draw", [plot_regions, plot_masked_image, plot_heat_map, plot_embedding]
)
def test_axes_that_are_passed_are_drawn_on(made, draw):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert draw(made.explanation, ax=ax) is ax and ax.images


def test_embedding_that_is_not_there_is_named(made):
    with pytest.raises(InputError, match="no region embeddings"):
        plot_embedding(replace(made.explanation, region_embeddings=None))


def test_image_out_of_range(made):
    with pytest.raises(IndexError, match="image 12"):
        plot_explanation(made.explanation, 12)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("floats", [False, True])
def test_other_images_can_be_drawn(made, channels, floats, tmp_path):
    images = np.repeat(made.explanation.images[..., :1], channels, axis=-1)
    if floats:
        images = (images / 255).astype(np.float32)
    plot_explanation(replace(made.explanation, images=images)).savefig(tmp_path / "a.png")
    plot_page(replace(made.explanation, images=images), n_images=2)


def test_soft_masks_are_drawn_as_they_are(made):
    exp = made.explanation
    soft = replace(exp, soft_region_masks=np.where(exp.region_masks, 0.5, 0.1).astype("f4"))
    shown = plot_masked_image(soft).images[0].get_array()
    assert 0 < shown.max() <= 128
    plot_page(soft, n_images=1)


@pytest.mark.parametrize("label", ["$x_{", "$\\frac{1}{$", "<b>bold</b>", "a\nb", "%s {0}", ""])
def test_hostile_labels_are_drawn_as_text(made, label, tmp_path):
    exp = replace(made.explanation, classes=np.array([label] * 10, dtype=object))
    plot_explanation(exp).savefig(tmp_path / "a.png")
    plot_page(exp, [label] * 12, n_images=2).savefig(tmp_path / "b.png")


def test_page_marks_right_and_wrong(made):
    exp = made.explanation
    words = texts(plot_page(exp, made.y, n_images=100, object_masks=made.object_masks))
    wrong = int((exp.predicted != made.y).sum())
    assert words.count("✗") == wrong > 0
    assert words.count("✓") == len(exp) - wrong
    assert "of the kept pixels on the object" in words


def test_page_without_labels_claims_nothing_about_right(made):
    words = texts(plot_page(made.explanation))
    assert "✓" not in words and "✗" not in words and "right" not in words.replace("Right:", "")


def test_page_choice_depends_on_the_seed_alone(made):
    first, again, other = (
        texts(plot_page(made.explanation, made.y, 4, random_state=seed)) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_page_share_on_object_is_the_mean_over_images(made):
    exp = made.explanation
    everything = np.ones(exp.regions.shape, bool)
    assert "100% of the kept" in texts(plot_page(exp, object_masks=everything, n_images=1))
    assert "0% of the kept" in texts(plot_page(exp, object_masks=~everything, n_images=1))


def test_page_of_images_that_are_not_square(made):
    exp = made.explanation
    narrow = replace(exp, images=exp.images.repeat(2, 2), regions=exp.regions.repeat(2, 2))
    wide = plot_page(narrow, n_images=6).get_size_inches()
    square = plot_page(exp, n_images=6).get_size_inches()
    assert wide[1] < square[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": ["1", "2"]}, "y must have one label per image: got 2 labels for 12 images"),
        ({"object_masks": np.ones((3, 64, 64), bool)}, "object_masks"),
    ],
)
def test_page_refuses_what_does_not_fit(made, change, message):
    with pytest.raises(InputError, match=message):
        plot_page(made.explanation, **change)


def test_page_of_nothing(made):
    with pytest.raises(InputError, match="at least one image"):
        plot_page(made.explanation[:0])


def test_figures_show_themselves_without_pyplot(made):
    code = plot_explanation(made.explanation)._repr_html_()
    assert code.startswith('<img src="data:image/png;base64,') and "Predicted" in code
    assert "<b>" not in code


def test_nothing_here_imports_pyplot():
    program = (
        "import sys; from p2pselect.explanations import example_explanation, plot_page, "
        "EvidenceCurveDisplay; "
        "exp = example_explanation(2).explanation; plot_page(exp); "
        "EvidenceCurveDisplay.from_explanation(exp); "
        "assert 'matplotlib.pyplot' not in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
