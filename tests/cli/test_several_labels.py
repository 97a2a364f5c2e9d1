"""Commands on a table with several columns of labels."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from two_labels import NAMES, two_labels

from p2pselect import load
from p2pselect.cli import main

FAST = ["--epochs", "1", "--image-size", "32", "--segments", "9", "--seed", "0"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """24 images to train on, and 12 to test; none of the columns is called label."""
    folder = tmp_path_factory.mktemp("labels")
    X, y = two_labels(36, seed=0)
    rows = ["path,split,red,blue"]
    for number, (image, (red, blue)) in enumerate(zip(X, y, strict=True)):
        Image.fromarray(image).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{'train' if number < 24 else 'test'},{red},{blue}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def model(table):
    out = table.parent / "m.model"
    arguments = ["fit", "--table", str(table), "--column", "label=red,blue", "--out", str(out)]
    assert main([*arguments, *FAST, "--validation", "0.25", "--label-masks"]) == 0
    return out


def test_the_labels_have_the_names_of_their_columns(table, model):
    clf = load(model)
    assert clf.classes_.tolist() == NAMES and clf.multilabel_
    assert clf.module_.selector.n_masks == 2
    y = two_labels(36, seed=0)[1][:24]
    counts = clf.class_counts_
    assert np.add(counts["trained"], counts["held_out"]).tolist() == y.sum(axis=0).tolist()
    page = model.with_name("m.html").read_text(encoding="utf-8")
    assert '"labels":["red","blue"]' in page.replace(", ", ",").replace(": ", ":")


def test_predict_names_all_labels_of_an_image(table, model, tmp_path, capsys):
    assert main(["predict", str(model), "--table", str(table)]) == 0
    text, said = capsys.readouterr()
    clf, y = load(model), two_labels(36, seed=0)[1][24:]
    files = [str(table.parent / f"{number}.png") for number in range(24, 36)]
    predicted = clf.predict(files)
    names = ["|".join(np.array(NAMES)[row > 0]) for row in predicted]
    assert [row["prediction"] for row in csv.DictReader(text.splitlines())] == names
    right = (predicted == y).all(axis=1).mean()
    assert f"{right:.1%} of all" in said
    # Without the columns of labels, nothing is known to be right.
    plain = tmp_path / "plain.csv"
    plain.write_text("\n".join(["path", *files]))
    assert main(["predict", str(model), "--table", str(plain), "--format", "json"]) == 0
    text, said = capsys.readouterr()
    assert [row["prediction"] for row in json.loads(text)] == [
        [name for name in own.split("|") if name] for own in names
    ]
    assert "right" not in said


def test_explain_shows_why_an_image_has_one_label(table, model, tmp_path, capsys):
    outputs = ["--json", str(tmp_path / "blue.json"), "--masks", str(tmp_path / "masks")]
    explain = ["explain", str(model), "--table", str(table), *outputs]
    assert main([*explain, "--target", "blue"]) == 0
    files = [str(table.parent / f"{number}.png") for number in range(24, 36)]
    exp, y = load(model).explain(files, target="blue"), two_labels(36, seed=0)[1][24:]
    rows = json.loads((tmp_path / "blue.json").read_text())
    assert [row["prediction"] for row in rows] == [["blue"] * v for v in exp.predicted[:, 1]]
    assert [row["label"] for row in rows] == [["blue"] * v for v in y[:, 1]]
    shown = np.stack([Image.open(row["mask"]) for row in rows]) > 0
    np.testing.assert_array_equal(shown, np.stack(exp.masks_at_original_size()))
    said = capsys.readouterr().out
    assert f"{(exp.predicted == y)[:, 1].mean():.1%} of all" in said
    assert main([*explain, "--target", "green"]) == 1
    assert "target must be one of ['red', 'blue'], got 'green'" in capsys.readouterr().err


def test_evaluate_and_explain_know_the_columns_of_the_model(table, model, tmp_path, capsys):
    files = [tmp_path / name for name in ("evaluate.json", "explain.json", "page.html")]
    assert main(["evaluate", str(model), "--table", str(table), "--json", str(files[0])]) == 0
    assert "per label: F1, kept" in capsys.readouterr().out
    clf, y = load(model), two_labels(36, seed=0)[1][24:]
    images = [str(table.parent / f"{number}.png") for number in range(24, 36)]
    figures = json.loads(files[0].read_text())
    assert figures["accuracy"] == pytest.approx(clf.score(images, y))
    assert 0 <= figures["f1_macro"] <= 1
    outputs = ["--json", str(files[1]), "--html", str(files[2])]
    assert main(["explain", str(model), "--table", str(table), *outputs]) == 0
    labels = [row["label"] for row in json.loads(files[1].read_text())]
    assert labels == [[name for name, bit in zip(NAMES, row, strict=True) if bit] for row in y]


def test_other_columns_than_those_of_the_model_are_refused(table, model, tmp_path, capsys):
    swapped = ["--table", str(table), "--column", "label=blue,red"]
    assert main(["evaluate", str(model), *swapped]) == 1
    assert "but the model knows the labels ['red', 'blue']" in capsys.readouterr().err
    (tmp_path / "red").mkdir()
    (table.parent / "0.png").rename(tmp_path / "red" / "0.png")
    try:
        assert main(["evaluate", str(model), str(tmp_path)]) == 1
    finally:
        (tmp_path / "red" / "0.png").rename(table.parent / "0.png")
    assert "must be a table with the columns ['red', 'blue']" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_an_audit_of_all_labels(table, model, tmp_path, capsys):
    files = [tmp_path / "audit.json", tmp_path / "audit.html"]
    written = ["--json", str(files[0]), "--html", str(files[1])]
    assert main(["audit", str(model), "--table", str(table), "--epochs", "1", *written]) == 0
    assert "judge: scattered" in capsys.readouterr().out
    found = json.loads(files[0].read_text())
    assert (found["n_images"], found["n_labels"]) == (12, 2)
    assert 0 < found["rows"]["judge"]["value"][-1] < 1
    assert "Right answers, averaged over all labels, when" in files[1].read_text(
        encoding="utf-8"
    )
