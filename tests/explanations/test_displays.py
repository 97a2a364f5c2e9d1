"""Display objects hold the right numbers and draw them."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from p2pselect._answering import FALLBACKS
from p2pselect.exceptions import InputError
from p2pselect.explanations import (
    ConfusionExamplesDisplay,
    EvidenceCurveDisplay,
    FidelityCurveDisplay,
    RegionCorrelationDisplay,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    ThresholdDisplay,
    plot_page,
)
from p2pselect.metrics import (
    ReliabilityCurve,
    aurc,
    calibration_error_floor,
    expected_calibration_error,
    insertion_fidelity_curve,
    reliability_curve,
    threshold_curve,
)


class Explainer:
    """The two methods that the displays use of an estimator."""

    def __init__(self, exp):
        self.exp = exp

    def explain(self, X):
        return self.exp[: len(X)]

    def predict_proba_masked(self, images):
        share = images.reshape(len(images), -1).mean(axis=1) / 255
        return np.stack([share, 1 - share], axis=1)


def test_evidence_ends_at_the_stopping_point(made):
    exp = made.explanation
    for i in (0, 1, int(exp.answered.argmin())):
        display = EvidenceCurveDisplay.from_explanation(exp, i, n_classes=3)
        assert display.tau[-1] == exp.tau[i]
        assert display.proba.shape == (len(display.tau), 3)
        np.testing.assert_allclose(display.proba[-1, 0], exp.certainty[i])
        assert display.labels[0] == exp.predicted[i]
        title = display.ax_.get_title(loc="left")
        assert title.startswith("Answered" if exp.answered[i] else "Not answered")


def test_evidence_of_a_calibrated_search_has_the_scale_of_the_classifier(made):
    exp = replace(made.explanation, certainty_threshold=0.8, stop_certainty=0.97)
    display = EvidenceCurveDisplay.from_explanation(exp)
    assert display.stop_certainty == 0.97
    assert "enough: 97%" in [text.get_text().strip() for text in display.ax_.texts]
    never = EvidenceCurveDisplay.from_explanation(replace(exp, stop_certainty=np.inf))
    assert not [text for text in never.ax_.texts if "enough" in text.get_text()]


def test_evidence_needs_a_path(made):
    with pytest.raises(InputError, match="fixed tau"):
        EvidenceCurveDisplay.from_explanation(replace(made.explanation, path_proba=None))


def test_evidence_of_two_classes(made):
    exp = made.explanation
    two = replace(
        exp, proba=exp.proba[:, :2], path_proba=exp.path_proba[:, :, :2], classes=np.arange(2)
    )
    assert len(EvidenceCurveDisplay.from_explanation(two).labels) == 2


def test_correlation_is_the_scaled_covariance_of_the_first_regions(made):
    exp = made.explanation
    display = RegionCorrelationDisplay.from_explanation(exp, 3, n_regions=6)
    first = exp.ranking[3][:6]
    covariance = exp.covariance(3)
    for i, a in enumerate(first):
        for j, b in enumerate(first):
            expected = covariance[a, b] / np.sqrt(covariance[a, a] * covariance[b, b])
            assert display.correlation[i, j] == pytest.approx(expected, abs=1e-5)
    np.testing.assert_array_equal(display.kept, exp.region_masks[3, first])
    assert len(display.thumbnails) == 6


def test_correlation_of_one_region_and_of_no_variance(made):
    exp = made.explanation[:1]
    d = exp.region_masks.shape[1]
    one = replace(
        exp,
        regions=np.zeros_like(exp.regions),
        region_masks=np.arange(d)[None] == 0,
        selection_logits=np.where(np.arange(d) == 0, 0, -np.inf)[None],
        region_embeddings=np.zeros_like(exp.region_embeddings),
    )
    assert RegionCorrelationDisplay.from_explanation(one).correlation.tolist() == [[1]]


def test_fidelity_holds_both_curves(made):
    estimator = Explainer(made.explanation)
    display = FidelityCurveDisplay.from_estimator(estimator, range(5))
    expected = insertion_fidelity_curve(made.explanation[:5], estimator.predict_proba_masked)
    np.testing.assert_array_equal(display.insertion.values, expected.values)
    assert display.kept_fraction == pytest.approx(made.explanation[:5].kept_fraction.mean())
    labels = [line.get_label() for line in display.ax_.get_lines()]
    assert any("insertion" in text for text in labels)
    assert any("deletion" in text for text in labels)


def test_risk_coverage_agrees_with_the_metric(made):
    exp = made.explanation
    display = RiskCoverageDisplay.from_estimator(Explainer(exp), range(12), made.y)
    right = exp.predicted == made.y
    assert display.risk.mean() == pytest.approx(aurc(right, exp.certainty))
    assert display.risk[-1] == pytest.approx(1 - right.mean())


def test_reliability_agrees_with_the_metrics(made):
    exp = made.explanation
    certainty = np.linspace(0.42, 1, 12)
    proba = np.full((12, 2), certainty[:, None])
    proba[:, 1] = 1 - certainty
    # Rounding may put a probability above 1.
    proba[-1] = 1 + 1e-7, 0
    exp = replace(exp, proba=proba, classes=np.array(["a", "b"]), path_proba=None)
    y = np.array(["a", "b"] * 6)
    display = ReliabilityDisplay.from_estimator(Explainer(exp), range(12), y, n_bins=5)
    right, certainty = exp.predicted == y, np.minimum(exp.certainty, 1)
    assert 0 < right.sum() < 12
    expected = reliability_curve(right, certainty, n_bins=5)
    for own, of_metric in zip(display.curve, expected, strict=True):
        np.testing.assert_array_equal(own, of_metric)
    error = expected_calibration_error(right, certainty, n_bins=5)
    floor = calibration_error_floor(certainty, n_bins=5)
    assert (display.error, display.floor) == (error, floor) and 0 < floor != error
    assert f"error {error:.3f}; of a perfect model {floor:.3f}" in display.ax_.get_title()
    assert display.ax_.get_lines()[1].get_ydata().tolist() == expected.accuracy.tolist()
    assert {text.get_text() for text in display.ax_.texts} == {
        str(n) for n in expected.n_images
    }


@pytest.mark.parametrize("fallback", [*FALLBACKS, None])
def test_thresholds_are_those_of_the_estimator(made, fallback):
    class Search(Explainer):
        def explain(self, X, *, whole_path):
            assert whole_path
            return super().explain(X)

        def get_params(self):
            return {} if fallback is None else {"search__fallback": fallback}

    exp = made.explanation
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(10) * 0.5, exp.path_proba.shape[:2]).astype(np.float32)
    exp = replace(exp, path_proba=proba)
    thresholds = [0.5, 0.8, 0.99]
    display = ThresholdDisplay.from_estimator(
        Search(exp), range(12), made.y, thresholds=thresholds, asked=0.8
    )
    curves = {
        name: threshold_curve(exp, made.y, thresholds, fallback=name) for name in FALLBACKS
    }
    expected = curves[fallback or "everything"]
    assert len({curve.kept_fraction[-1] for curve in curves.values()}) == len(FALLBACKS)
    for own, of_metric in zip(display.curve, expected, strict=True):
        np.testing.assert_array_equal(own, of_metric)
    lines = {line.get_label(): line.get_ydata() for line in display.ax_.get_lines()}
    np.testing.assert_array_equal(lines["answered"], expected.coverage)
    np.testing.assert_array_equal(lines["right, of the answered"], expected.selective_accuracy)
    np.testing.assert_array_equal(lines["kept, of all"], expected.kept_fraction)
    assert len(lines) == 6  # the last one marks what is asked for


def test_nine_in_ten_perfect_models_are_in_their_range():
    from p2pselect.explanations.figures._reliability_display import range_of_perfect

    certainty, n = np.array([0.6, 0.95]), np.array([50, 200])
    low, high = range_of_perfect(ReliabilityCurve(certainty, certainty, n))
    shares = np.random.default_rng(0).binomial(n, certainty, (4000, 2)) / n
    inside = ((low <= shares) & (shares <= high)).mean(axis=0)
    assert (inside > 0.89).all() and (inside < 0.96).all()


@pytest.mark.parametrize("display", [FidelityCurveDisplay, RiskCoverageDisplay])
def test_a_pipeline_explains_through_its_last_step(made, display):
    pipeline = make_pipeline(FunctionTransformer(np.asarray), Explainer(made.explanation))
    y = () if display is FidelityCurveDisplay else (made.y,)
    assert display.from_estimator(pipeline, range(12), *y).ax_.get_lines()
    with pytest.raises(InputError, match=f"{display.__name__} needs an estimator with explain"):
        display.from_estimator(FunctionTransformer(), range(12), *y)


def test_confusion_counts_and_shows_the_most_certain_example(made):
    exp = made.explanation
    display = ConfusionExamplesDisplay.from_explanation(exp, made.y)
    total = 0
    for i, true in enumerate(display.labels):
        for j, said in enumerate(display.labels):
            found = np.flatnonzero((made.y == true) & (exp.predicted == said))
            assert display.counts[i, j] == len(found)
            assert ((i, j) in display.examples) == bool(len(found))
            if len(found):
                best = found[exp.certainty[found].argmax()]
                np.testing.assert_array_equal(display.examples[i, j], exp.masked_images[best])
            total += len(found)
    assert total == len(exp)


def test_confusion_of_many_classes_shows_those_with_most_errors(made):
    exp = made.explanation
    display = ConfusionExamplesDisplay.from_explanation(exp, made.y, max_classes=2)
    wrong = exp.predicted != made.y
    assert len(display.labels) == 2
    assert set(display.labels) <= {*exp.predicted[wrong], *made.y[wrong]}


def test_confusion_with_a_true_label_that_the_model_does_not_know(made):
    y = made.y.astype(object)
    y[0] = "a new class"
    display = ConfusionExamplesDisplay.from_explanation(made.explanation, y)
    row = display.labels.index("a new class")
    assert display.counts[row].sum() == 1 and display.counts[:, row].sum() == 0


@pytest.mark.parametrize(
    "display", [ConfusionExamplesDisplay, RiskCoverageDisplay, ReliabilityDisplay]
)
def test_labels_must_fit(made, display):
    with pytest.raises(InputError, match="got 2 labels for 12 images"):
        display.from_explanation(made.explanation, ["1", "2"])
    with pytest.raises(InputError, match="y holds numbers .* the classes are strings"):
        display.from_explanation(made.explanation, made.y.astype(int))


def test_drawing_again_on_other_axes(made, tmp_path):
    from matplotlib.figure import Figure

    display = RiskCoverageDisplay.from_explanation(made.explanation, made.y)
    ax = Figure().add_subplot()
    assert display.plot(ax).ax_ is ax
    assert display.figure_ is ax.figure
    EvidenceCurveDisplay.from_explanation(made.explanation).figure_.savefig(tmp_path / "a.png")


def test_displays_show_themselves_in_a_notebook(made):
    code = EvidenceCurveDisplay.from_explanation(made.explanation)._repr_html_()
    assert code.startswith('<img src="data:image/png')


def test_names_of_classes_do_not_overlap_in_the_evidence_curve():
    from p2pselect.explanations.figures._image_displays import _spread

    heights = _spread(np.array([0.5, 0.0, 0.01, 0.01]), gap=0.1)
    assert heights[0] == 0.5
    assert np.diff(np.sort(heights)).min() >= 0.1 - 1e-12


AWKWARD = [
    "$5_bill$",
    "$\\frac$",
    "a_b^c",
    "<b>&amp;</b>",
    "100 %",
    "c\nd",
    "",
    "猫",
    "x" * 120,
    "$",
]


def test_no_label_is_taken_for_markup_or_a_formula(made):
    place = {label: i for i, label in enumerate(made.explanation.classes.tolist())}
    exp = replace(made.explanation, classes=np.array(AWKWARD))
    y = np.array(AWKWARD)[[place[label] for label in made.y.tolist()]]
    figures = [
        ConfusionExamplesDisplay.from_explanation(exp, y).figure_,
        EvidenceCurveDisplay.from_explanation(exp, n_classes=7).figure_,
        RiskCoverageDisplay.from_explanation(exp, y).figure_,
        ReliabilityDisplay.from_explanation(exp, y).figure_,
        RegionCorrelationDisplay.from_explanation(exp).figure_,
        plot_page(exp, y),
    ]
    for figure in figures:
        with warnings.catch_warnings():
            # Matplotlib's own font has no Chinese letters, which is no fault of the label.
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            figure.canvas.draw()
        for text in figure.findobj(Text):
            assert text.get_parse_math() is False or "$" not in text.get_text()


def test_one_class_only(made):
    exp = made.explanation
    one = replace(
        exp, proba=np.ones((len(exp), 1)), path_proba=None, classes=np.array(["leaf"])
    )
    display = ConfusionExamplesDisplay.from_explanation(one, ["leaf"] * len(exp))
    assert display.counts.tolist() == [[len(exp)]] and display.n_left_out == 0
    assert (RiskCoverageDisplay.from_explanation(one, ["leaf"] * len(exp)).risk == 0).all()


def test_classes_that_are_left_out_of_a_confusion_matrix_are_counted(made):
    exp = made.explanation[np.arange(60) % 12]
    names = np.array([f"common_prefix_of_the_class_{i:03d}" for i in range(300)])
    proba = np.eye(300)[np.arange(60) // 2]
    many = replace(exp, proba=proba, path_proba=None, classes=names)
    y = names[np.arange(60) // 2]
    y[0] = names[29]
    display = ConfusionExamplesDisplay.from_explanation(many, y, max_classes=5)
    assert {"common…ass_000", "common…ass_029"} <= set(display.labels)
    assert display.n_left_out == 25
    assert "25 others left out" in display.ax_.get_title()


def test_figures_belong_to_nobody(made):
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    for _ in range(25):
        RiskCoverageDisplay.from_explanation(made.explanation, made.y)
    assert pyplot.get_fignums() == before
