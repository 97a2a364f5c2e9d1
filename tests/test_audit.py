"""The audit: its rules, one by one, and trained models whose masks do or do not encode."""

import json
import re

import numpy as np
import pytest
import two_labels
from two_patches import SETTINGS, KnowsBothLabels, classifier, two_pairs, two_patches

from p2pselect import P2PClassifier, audit
from p2pselect.exceptions import InputError
from p2pselect.methods import BlackboxClassifier, JudgeClassifier
from p2pselect.model_selection import Audit
from p2pselect.model_selection._audit import share_outside, worst_group

N = 400
Y = np.arange(N) % 2


def right(*shares):
    """One column per level: the first images are read right."""
    return np.stack([np.arange(N) < round(share * N) for share in shares], axis=1).astype(float)


class Hasty:
    converged_ = False


def made(model, judge_, random=(0.5, 0.5), whole=(1.0, 1.0), belief=None, **options):
    """An audit at two areas; `belief` are the probabilities where they are not the answers."""
    belief = belief or (model, judge_)
    values = {
        "model": right(*model, 0.9, whole[0]),
        "judge": right(*judge_, 0.9, whole[1]),
        "model: belief": right(*belief[0], 0.9, whole[0]),
        "judge: belief": right(*belief[1], 0.9, whole[1]),
        "model: scattered": right(random[0], random[0], 0.5, 1.0),
        "judge: scattered": right(random[1], random[1], 0.5, 1.0),
    }
    return Audit(values, np.array([0.1, 0.3, np.nan, 1.0]), Y, **options)


@pytest.mark.parametrize(
    ("found", "verdict", "reason"),
    [
        (made((0.8, 0.9), (0.8, 0.88)), "evidence is in the pixels", r"at most.* by \+0.020"),
        (made((0.7, 0.9), (0.9, 0.95)), "evidence is in the pixels", "-0.050"),
        (made((0.8, 0.9), (0.5, 0.9)), "the mask encodes", "by 0.300 at 0.1 of"),
        (made((0.8, 0.9), (0.74, 0.9)), "cannot tell", "more test images"),
        (made((0.8, 0.9), (0.76, 0.9)), "cannot tell", "0.05 at 0.1 of"),
        (made((0.5, 0.5), (0.2, 0.2)), "cannot tell", "constant answer"),
        # Guesses at one area do not convict, and do not stand in the way.
        (made((0.52, 0.9), (0.3, 0.9)), "evidence is in the pixels", "0.000"),
        # Forced answers that are hardly believed, and answers that are merely bolder.
        (
            made((0.9, 0.9), (0.5, 0.9), belief=((0.52, 0.9), (0.5, 0.9))),
            "evidence is in the pixels",
            r"\+0.020",
        ),
        (
            made((0.9, 0.9), (0.9, 0.9), belief=((0.9, 0.9), (0.6, 0.9))),
            "evidence is in the pixels",
            "0.000",
        ),
        # Next to nothing is believed by the model, and less than nothing by the judge.
        (
            made((0.9, 0.9), (0.1, 0.9), belief=((0.54, 0.9), (0.4, 0.9)), tolerance=0.1),
            "evidence is in the pixels",
            r"\+0.040",
        ),
        # Judges that are too weak: each fault alone keeps a gap from convicting.
        (made((0.8, 0.9), (0.5, 0.9), judge=Hasty), "cannot tell", "still learning"),
        (made((0.8, 0.9), (0.5, 0.9), whole=(1.0, 0.9)), "cannot tell", "whole images"),
        (made((0.8, 0.9), (0.5, 0.9), whole=(0.7, 0.8)), "cannot tell", "reaches 0.900"),
        (made((0.8, 0.9), (0.5, 0.9), random=(0.7, 0.6)), "cannot tell", "nobody chose"),
        # What a weak judge reads nevertheless is there.
        (made((0.8, 0.9), (0.8, 0.9), judge=Hasty), "evidence is in the pixels", "0.000"),
        (made((0.8, 0.9), (0.6, 0.9), tolerance=0.3), "evidence is in the pixels", "0.3;"),
    ],
)
def test_the_rules(found, verdict, reason):
    assert found.verdict == verdict
    assert re.search(reason, " ".join(found.reasons))


def test_a_label_that_is_rare_is_guessed_more_often():
    # Half of the images have one label, and a tenth have the other.
    y = np.stack([Y, np.arange(N) % 10 == 0], axis=1).astype(int)
    guessed = (0.5 + 0.9**2 + 0.1**2) / 2
    for accuracy, belief, verdict in (
        (0.69, 0.9, "cannot tell"),  # (.5 + .9) / 2 are right by saying always the same
        (0.9, guessed - 0.01, "evidence is in the pixels"),
        (0.9, 0.9, "the mask encodes"),
    ):
        found = made((accuracy, 0.5), (0.5, 0.5), belief=((belief, 0.5), (0.5, 0.5)))
        found.y = y
        assert found.verdict == verdict and found.to_dict()["n_labels"] == 2
    assert made((0.9, 0.9), (0.9, 0.9)).to_dict()["n_labels"] is None


def test_a_level_has_the_accuracies_of_its_columns():
    found = made((0.8, 0.9), (0.5, 0.9))
    assert found.names == ["0.1", "0.3", "stop", "whole"]
    assert found.model_accuracy == pytest.approx([0.8, 0.9, 0.9, 1.0])
    assert found.judge_accuracy == pytest.approx([0.5, 0.9, 0.9, 1.0])
    mean, low, high = found.gap
    assert mean == pytest.approx([0.3, 0, 0, 0])
    # Paired: where both read the same images, there is no doubt.
    assert 0.25 < low[0] < 0.3 < high[0] < 0.35 and low[1] == high[1] == 0


def test_two_models_are_compared_image_by_image():
    one, other = made((0.8, 0.9), (0.5, 0.9)), made((0.7, 0.9), (0.5, 0.9))
    mean, low, high = one.difference(other)["model"]
    assert mean == pytest.approx([0.1, 0, 0, 0]) and low[0] > 0.05 and high[1] == 0
    other.y = 1 - Y
    with pytest.raises(InputError, match="same test images"):
        one.difference(other)


def test_the_worst_group_is_the_one_that_is_read_worst_of_those_that_are_large():
    sizes = {"many": 200, "some": 40, "few": 19}
    # More images of the worst group are read right than of another one.
    shares = {"many": 0.5, "some": 0.9, "few": 0.0}
    groups = np.repeat([*sizes], [*sizes.values()])
    parts = [np.arange(size) < shares[name] * size for name, size in sizes.items()]
    worst = worst_group(groups, np.concatenate(parts).astype(float))
    assert worst.tolist() == (groups == "many").tolist()
    others = groups != "many"
    assert not worst_group(groups[others], np.zeros(others.sum())).any()


def test_intervals_of_one_group_draw_its_images():
    values = {"model": right(0.8, 0.9, 1.0)}
    groups = np.where(np.arange(N) < 200, "a", "b")
    values["model: worst group"] = np.where(groups[:, None] == "b", values["model"], np.nan)
    found = Audit(values, np.array([0.1, np.nan, 1.0]), Y, groups=groups)
    assert found.worst_group == "b"
    mean, low, high = found.figure("model: worst group")[:, 0]
    assert mean == pytest.approx(0.6) and 0.5 < low < 0.56 and 0.64 < high < 0.7
    assert found.figure("model")[1:, 0] == pytest.approx([0.6, 1.0])


def test_what_is_shown_outside_the_object():
    objects = np.zeros((4, 4, 4), bool)
    objects[:3, :2] = True
    shown = np.zeros((4, 4, 4), bool)
    shown[0, 1:] = shown[1, :1] = shown[3] = True
    np.testing.assert_array_equal(
        share_outside(shown, objects), [2 / 3, 0, np.nan, np.nan], "nothing shown, no object"
    )


def test_what_is_written_can_be_read():
    found = made((0.8, 0.9), (0.5, 0.9))
    found.values["outline"] = np.full((N, 4), np.nan)
    again = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert again["verdict"] == "the mask encodes" and again["levels"] == found.names
    assert again["rows"]["gap"]["value"] == [0.3, 0.0, 0.0, 0.0]
    assert again["rows"]["outline"]["low"] == [None] * 4
    text = str(found).splitlines()
    assert text[0] == found.verdict and "  0.800   0.900" in str(found)
    assert max(map(len, text[3:])) <= 80
    frame = pytest.importorskip("pandas") and found.to_frame()
    row = frame[(frame.level == "0.1") & (frame.row == "judge")].iloc[0]
    assert row.value == 0.5 and row.low < 0.5 < row.high


def test_the_figure_has_a_line_for_each_reader():
    display = made((0.8, 0.9), (0.5, 0.9))
    display.values["kept"] = right(0.1, 0.3, 0.2, 1.0)
    axes = display.plot().ax_
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["model", "judge, same regions", "judge, scattered"]
    assert axes.get_title() == "the mask encodes"


# -- trained models ----------------------------------------------------------------------------

X, y = two_patches(512, seed=0)
X_TEST, Y_TEST = two_patches(600, seed=1)


def p2p(**settings):
    clf = P2PClassifier(**SETTINGS, max_epochs=20)
    return clf.set_params(training__lr_schedule="onecycle", **settings)


@pytest.fixture(scope="module")
def judge():
    return JudgeClassifier.like(p2p(), random_state=0, training__patience=5).fit(X, y)


@pytest.fixture(scope="module")
def released():
    return p2p(objective__random_share=0.0).fit(X, y)


def test_a_mask_that_encodes_is_convicted(released, judge):
    assert judge.converged_
    found = audit(released, X, y, X_TEST, Y_TEST, judge=judge)
    assert found.verdict == "the mask encodes"
    assert found.model_accuracy[-2] > 0.95 and found.judge_accuracy[-1] > 0.95
    assert (
        found.levels[0] == pytest.approx(found.figure("kept")[0, -2]) and found.levels[0] < 0.1
    )
    # The label is told by which regions are shown, to whoever learns the code.
    assert found.figure("outline")[0, 1] > 0.95


def test_masks_that_encode_several_labels_are_convicted():
    X, y = two_pairs(512, seed=0)
    X_test, y_test = two_pairs(600, seed=1)
    knowing = p2p(selector=KnowsBothLabels).fit(X, y)
    judge = JudgeClassifier.like(knowing, random_state=0, training__patience=5)
    found = audit(knowing, X, y, X_test, y_test, judge=judge)
    assert found.verdict == "the mask encodes"
    assert found.model_accuracy[0] > 0.95 and found.figure("outline")[0, 0] > 0.95
    # Means over the labels, each of which counts.
    proba = judge.predict_proba_masked(X_test)
    answers = ((proba > 0.5) == y_test).mean()
    assert found.judge_accuracy[-1] == pytest.approx(answers) and 0.95 < answers < 1
    of_truth = np.where(y_test == 1, proba, 1 - proba).mean()
    assert found.figure("judge: belief")[0, -1] == pytest.approx(of_truth)
    # A selector that sees single patches cannot know a label that takes two of them.
    honest = p2p(selector=two_labels.selector, objective__random_share=0.7, max_epochs=30)
    honest.set_params(objective__warmup_epochs=6, certainty_threshold=0.95).fit(X, y)
    found = audit(honest, X, y, X_test, y_test, judge=judge)
    assert found.verdict == "evidence is in the pixels" and found.model_accuracy[-2] > 0.95


def test_a_judge_answers_the_same_question(judge):
    X, y = two_pairs(40, seed=0)
    clf = p2p(selector=KnowsBothLabels, max_epochs=0)
    clf.partial_fit(X, y, classes=["one", "other"])
    with pytest.raises(InputError, match=r"y has the labels \[0, 1\], the model the labels \["):
        audit(clf, X, y, X, y)
    unnamed = clf.set_params(max_epochs=0).fit(X, y)
    with pytest.raises(InputError, match="the judge knows the classes .* the model the labels"):
        audit(unnamed, X, y, X, y, judge=judge)


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_a_weak_judge_convicts_nobody(released):
    weak = JudgeClassifier.like(released, random_state=0, max_epochs=1)
    found = audit(released, X, y, X_TEST, Y_TEST, judge=weak)
    assert found.verdict == "cannot tell" and not weak.converged_
    assert found.judge is weak and found.judge_accuracy[-1] < 0.9


def test_random_masks_keep_the_label_out_of_the_choice(judge):
    clf = p2p(objective__random_share=0.7, objective__warmup_epochs=3, certainty_threshold=0.95)
    objects = np.zeros((len(X_TEST), 32, 32), bool)
    objects[:, 8:16, :8] = objects[:, 16:24, 24:] = True
    groups = 2 * (X_TEST[:, 8, 0, 0] > 128) + (X_TEST[:, 16, 24, 0] > 128)
    found = audit(
        clf.fit(X, y), X, y, X_TEST, Y_TEST, judge=judge, masks=objects, groups=groups
    )
    assert found.verdict == "evidence is in the pixels"
    assert found.model_accuracy[-2] > 0.99
    assert found.figure("judge: objects")[0, 1] > 0.95 > found.figure("judge: central")[0, 1]
    assert found.figure("outside")[0, 0] == 0 == found.figure("shown outside")[0, 0]
    assert found.figure("shown outside")[0, -1] == pytest.approx(1 - 2 / 16)
    # None of the two is among the four patches in the middle, one is among the eight there.
    central = found.figure("shown outside: central")[0]
    assert central[:3].tolist() == [1, 1, 1]
    assert central[3] == pytest.approx(1 - 1 / 8, abs=0.02)
    by_group = [found.values["model"][groups == name].mean(axis=0) for name in range(4)]
    worst = by_group[found.worst_group]
    assert found.figure("model: worst group")[0] == pytest.approx(worst)
    assert worst[-2] == min(accuracies[-2] for accuracies in by_group)
    assert found.to_dict()["worst_group"] == str(found.worst_group)


def test_a_judge_has_the_settings_of_its_model():
    clf = p2p(objective__head_first=True, class_weight="balanced", networks__frozen_share=0.5)
    judge = JudgeClassifier.like(clf, max_epochs=3)
    assert (judge.classifier, judge.regions, judge.image_size) == (classifier, clf.regions, 32)
    assert judge.networks.frozen_share == 0.5 and judge.class_weight == "balanced"
    assert judge.head_first and judge.max_epochs == 3
    assert judge.training.lr_schedule == "constant" and judge.training.patience == 10
    for epochs, patience in ((1, 10), (90, 45)):
        longer = JudgeClassifier.like(clf.set_params(max_epochs=epochs))
        assert (longer.max_epochs, longer.training.patience) == (10 * epochs, patience)
    assert clf.training.lr_schedule == "onecycle"


def test_what_does_not_fit_is_refused(released, judge):
    given = {
        "clf": released,
        "X": X,
        "y": y,
        "X_test": X_TEST,
        "y_test": Y_TEST,
        "judge": judge,
    }
    blackbox = BlackboxClassifier(
        classifier=classifier, image_size=32, pretrained=False, max_epochs=0, regions="grid"
    )
    other = JudgeClassifier.like(released, max_epochs=1).fit(X[:100], y[:100] + 5)
    unlike = JudgeClassifier.like(released, max_epochs=0, networks__fill="blur").fit(X, y)
    for changes, message in (
        ({"clf": blackbox.fit(X, y)}, "ranks the regions"),
        ({"judge": other}, r"the judge knows the classes \[5, 6\]"),
        ({"judge": unlike}, "the judge has learned from images with fill_='blur'"),
        ({"areas": [0.1, 1.0]}, r"areas must be numbers in \(0, 1\)"),
        ({"groups": [1, 2]}, "groups has 2 entries for 600"),
        ({"y_test": Y_TEST[:7]}, "y_test has 7 labels for 600"),
    ):
        with pytest.raises(InputError, match=message):
            audit(**{**given, "judge": judge, **changes})
