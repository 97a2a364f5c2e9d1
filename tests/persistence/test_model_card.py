"""The model card: true, in the form that the hub reads, the user's to edit, and never read."""

import json
import subprocess
import sys

import numpy as np
import pytest
import yaml

from p2pselect import P2PClassifier, presets
from p2pselect._model_card import BEGIN, END, card, facts, in_words
from p2pselect._model_folder import CARD, CONFIG, WEIGHTS
from p2pselect.cli import main
from p2pselect.exceptions import InputError
from p2pselect.model_selection import Audit
from p2pselect.persistence import describe, load


@pytest.fixture
def saved(clf, tmp_path):
    clf.save(tmp_path / "model")
    return tmp_path / "model"


def text_of(folder):
    return (folder / CARD).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def measured(X):
    """A model with held-out images and a calibration."""
    settings = {**presets.SMALL, "max_epochs": 2, "image_size": 32, "random_state": 0}
    clf = P2PClassifier(**settings, validation=0.25).fit(X, ["a", "b", "b"] * 8)
    return clf.calibrate(X, ["a", "b", "b"] * 8, max_unfamiliar=0.2, set_error=0.3)


def test_the_hub_reads_the_header(saved):
    _, header, body = text_of(saved).split("---\n", 2)
    found = yaml.safe_load(header)
    assert found == {
        "library_name": "p2pselect",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "interpretability"],
    }
    assert "# license:" in header and body.lstrip().startswith("# ")


def test_without_held_out_images_nothing_is_claimed(clf, saved):
    facts = describe(saved)
    assert facts["images"] == {
        "trained": {"<b>a</b>": 12, "ü": 12}, "held_out": {"<b>a</b>": 0, "ü": 0}
    }  # fmt: skip
    assert facts["held_out"] is facts["calibration"] is facts["audit"] is None
    said = text_of(saved)
    assert "used 24 images of 2 classes, and 0 more were held out" in said
    assert "Not measured" in said and "not calibrated" in said and "`p2pselect audit`" in said
    assert "| ü | 12 | 0 |" in said
    assert "% certain. An image" in said
    assert all(f"{package} {version}" in said for package, version in facts["versions"].items())
    assert facts["date"] in said


def test_scores_and_calibration_are_those_of_the_model(measured, tmp_path):
    measured.save(tmp_path / "m")
    found, last = describe(tmp_path / "m"), measured.history_[-1]
    assert found["images"]["trained"] == {"a": 6, "b": 12}
    assert found["images"]["held_out"] == {"a": 2, "b": 4}
    assert found["held_out"]["accuracy"] == last["valid_acc"]
    assert found["held_out"]["kept_fraction"] == pytest.approx(last["valid_kept"])
    n_images = len(measured.calibration_)
    assert found["calibration"]["n_images"] == n_images
    assert found["calibration"]["set_error"] == 0.3
    lowest = measured.calibration_.lowest_familiarity
    assert found["calibration"]["lowest_familiarity"] == lowest
    said = text_of(tmp_path / "m")
    assert f"{last['valid_acc']:.1%} were classified correctly, from" in said
    assert "of their pixels on average, before its certainty was calibrated." in said
    assert (
        f"calibrated with {n_images} images; at most 30.0% of its prediction sets miss" in said
    )
    assert f"familiarity below {lowest:.3g} are not answered" in said
    assert "not calibrated" not in said and "`calibrate` corrects" not in said
    assert "% certain on average. An image" in said
    # What was loaded says the same, and so does a copy of it.
    again = load(tmp_path / "m")
    again.save(tmp_path / "again")
    assert text_of(tmp_path / "again") == said


def test_with_patience_the_scores_are_those_of_the_best_epoch(clf, saved):
    config = json.loads((saved / CONFIG).read_text())
    losses = [("first", 0.1), ("last", 0.5), ("last", 0.3), ("last", 0.4)]
    config["history"] = [
        {"phase": phase, "valid_loss": loss, "valid_acc": loss, "valid_kept": 0.2}
        for phase, loss in losses
    ]
    assert facts(config)["held_out"]["accuracy"] == 0.4
    config["params"]["training__patience"] = 1
    found = facts(config)
    assert found["held_out"]["accuracy"] == 0.3
    assert "They also chose the epoch" in in_words(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_error": 0.1, "alpha": 0.1}, "10.0% of the answers are wrong, with a confidence"),
        ({"max_error": 0.1, "alpha": None}, "are wrong, on average"),
        ({"max_error": 0.1, "alpha": 0.1, "per_class": True}, "a class, for every class are"),
        ({"mean_kept": 0.2}, "at most 20.0% of the pixels on average"),
    ],
)
def test_bounds_are_said(saved, changes, said):
    nothing = dict.fromkeys(
        ["max_error", "alpha", "mean_kept", "lowest_familiarity", "per_class", "set_error"]
    )
    found = describe(saved) | {"calibration": {"n_images": 60, **nothing, **changes}}
    assert said in in_words(found)


def test_an_audit_is_said_and_anything_else_refused(clf, tmp_path):
    right = np.ones((40, 3))
    values = {"model": right, "judge": right * [0.0, 0.5, 1.0]}
    values |= {f"{row}: belief": values[row] for row in ("model", "judge")}
    found = Audit(values, np.array([0.1, np.nan, 1.0]), np.arange(40) % 2)
    clf.save(tmp_path / "m", audit=found)
    assert describe(tmp_path / "m")["audit"] == found.to_dict()
    said = text_of(tmp_path / "m")
    assert f"with 40 images: **{found.verdict}**" in said and "`p2pselect audit`" not in said
    with pytest.raises(InputError, match="audit must be what"):
        clf.save(tmp_path / "n", audit={"verdict": "good"})
    assert not (tmp_path / "n").exists()


def test_what_the_user_writes_survives_and_the_facts_are_renewed(clf, saved):
    old = text_of(saved).replace("# license: yours", "license: mit\n# yours")
    old = old.replace(BEGIN, f"My leaves.\r\n\n{BEGIN}") + "\nAsk Ana. caf\n"
    (saved / CARD).write_bytes(old.replace("24 images", "9 images").encode() + b"\xe9")
    clf.save(saved)
    assert (saved / CARD).read_bytes() == old.encode() + b"\xe9"


@pytest.mark.parametrize("old", [b"", b"# Mine", BEGIN.encode(), f"{END} {BEGIN}".encode()])
def test_a_card_without_the_two_comments_is_left_as_it_is(clf, saved, old):
    (saved / CARD).write_bytes(old)
    clf.save(saved)
    assert (saved / CARD).read_bytes() == old


def test_loading_never_depends_on_the_card(clf, saved, X):
    wanted = load(saved).predict_proba(X)
    (saved / CARD).write_bytes(b"\xff" * 9)
    np.testing.assert_array_equal(load(saved).predict_proba(X), wanted)
    (saved / CARD).unlink()
    np.testing.assert_array_equal(load(saved).predict_proba(X), wanted)
    assert describe(saved)["classes"] == ["<b>a</b>", "ü"]
    clf.save(saved)
    assert sorted(p.name for p in saved.iterdir()) == [CARD, CONFIG, WEIGHTS]


def test_names_are_shown_as_they_are(saved):
    odd = f"a|b*c*\n# <script>{END}`x` caf\udce9"
    found = describe(saved)
    found |= {"classes": [odd], "images": {"trained": {odd: 3}, "held_out": {odd: 0}}}
    said = card(found).decode()
    (row,) = [line for line in said.splitlines() if line.endswith("| 3 | 0 |")]
    assert row.startswith(r"| a\|b\*c\* \# \<script\>\<!--")
    assert said.count(END) == 1 and r"caf\udce9" in said
    assert odd in in_words(found)


def test_many_classes_do_not_hide_the_rest(saved):
    names = [str(number) for number in range(1000)]
    counts = dict.fromkeys(names, 2)
    found = describe(saved) | {
        "classes": names, "images": {"trained": counts, "held_out": counts}
    }  # fmt: skip
    said = in_words(found)
    assert "2,000 images of 1000 classes" in said and "950 more classes" in said
    assert len(said.splitlines()) < 100


def test_the_command_says_what_the_card_says_and_loads_nothing_heavy(saved, capsys):
    assert main(["info", str(saved)]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0] in text_of(saved) and "| <b>a</b> | 12 | 0 |" in said
    program = (
        f"import sys\nfrom p2pselect.cli import main\nmain(['info', {str(saved)!r}])\n"
        "print(sorted({'torch', 'sklearn', 'scipy', 'skimage', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == f"{said}[]\n", done.stderr
