"""``--table``: commands do with rows what they do with folders of the same images."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import p2pselect
from p2pselect import P2PClassifier, datasets, load
from p2pselect.cli import main
from p2pselect.cli._tables import _KINDS
from p2pselect.datasets._table_columns import COLUMNS
from p2pselect.exceptions import InputError

HEAD = "image,label,split,group,mask"
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """12 images of each split in folders, and a table of the same with groups and masks."""
    root = tmp_path_factory.mktemp("tables") / "birds"
    scenes = datasets.make_digit_scenes(36, image_size=32, random_state=0)
    rows = []
    for number, (image, mask) in enumerate(zip(scenes.images, scenes.masks, strict=True)):
        split, label = SPLITS[number // 12], ("robin", "wren")[number % 2]
        own = f"{label}/{number:02d}.png"
        for part, pixels in (("images", image), ("masks", mask)):
            file = root / split / part / own
            file.parent.mkdir(parents=True, exist_ok=True)
            # Wider than high, so that the masks have to go the way of the images.
            Image.fromarray(pixels).resize((40, 32)).save(file)
        mask_file = "" if number % 5 == 0 else f"{split}/masks/{own}"
        if not mask_file:
            (root / split / "masks" / own).unlink()
        rows.append(f"{split}/images/{own},{label},{split},n{number // 2},{mask_file}")
    # As folders are listed: class by class.
    (root / "labels.csv").write_text("\n".join([HEAD, *sorted(rows)]), encoding="utf-8")
    return root


LABELS = ["robin"] * 6 + ["wren"] * 6
#: Pairs of a robin and a wren.
GROUPS = [f"n{number}" for number in range(6)] * 2
FAST = ["--epochs", "1", "--image-size", "32", "--segments", "9", "--seed", "0"]


@pytest.fixture(scope="module")
def model(root):
    out = root.parent / "m.model"
    arguments = ["fit", str(root / "train" / "images"), "--out", str(out)]
    assert main([*arguments, *FAST, "--validation", str(root / "validation" / "images")]) == 0
    return out


@pytest.fixture
def table(root):
    return ["--table", str(root / "labels.csv")]


@pytest.fixture
def fitted(monkeypatch):
    """What `fit` would train on and with; nothing is trained."""
    seen = {}

    def fit(self, images, labels, groups, masks):
        assert masks is None
        seen.update(images=images, labels=labels, groups=groups, validation=self.validation)
        raise InputError("enough")

    monkeypatch.setattr(P2PClassifier, "fit", fit)
    return seen


def rows_of(root):
    return (root / "labels.csv").read_text(encoding="utf-8").splitlines()[1:]


def absolute(row, root):
    """The same row for a table in another folder."""
    path, *cells, mask = row.split(",")
    return ",".join([f"{root}/{path}", *cells, mask and f"{root}/{mask}"])


def numbers(images):
    return sorted(int(file[-6:-4]) for file in images.files)


def test_what_columns_hold_is_what_tables_can_hold():
    assert set(_KINDS) == set(COLUMNS)


def test_fit_gives_the_model_of_the_folders(root, model, table, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *table, *FAST]) == 0
    said, noted = capsys.readouterr()
    assert "12 images, 2 classes: robin 6, wren 6" in said
    assert "labels.csv: 12 rows of train (the table has " in noted
    assert "labels.csv: 12 rows of validation" in noted
    weights = [
        (file / "model.safetensors").read_bytes() for file in (tmp_path / "birds.model", model)
    ]
    assert weights[0] == weights[1]
    assert "on 12 images that were held out" in said


def test_fit_is_told_the_groups(root, table, fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *table, *FAST]) == 1
    assert numbers(fitted["images"]) == list(range(12))
    assert fitted["groups"].tolist() == GROUPS
    held_out, labels = fitted["validation"]
    assert numbers(held_out) == list(range(12, 24)) and labels.tolist() == LABELS
    assert main(["fit", *table, *FAST, "--validation", "0.25", "--split", "test"]) == 1
    assert numbers(fitted["images"]) == list(range(24, 36)) and fitted["validation"] == 0.25
    assert main(["fit", *table, *FAST, "--column", "split="]) == 1
    assert len(fitted["images"]) == 36 and fitted["validation"] == "auto"


def test_evaluate_scores_the_test_rows(root, model, table, tmp_path, capsys):
    files = [tmp_path / name for name in ("table.json", "folder.json", "other.json")]
    assert main(["evaluate", str(model), *table, "--json", str(files[0])]) == 0
    folder = ["--masks-dir", str(root / "test" / "masks"), "--json", str(files[1])]
    assert main(["evaluate", str(model), str(root / "test" / "images"), *folder]) == 0
    by_table, by_folder = (json.loads(file.read_text()) for file in files[:2])
    assert by_table["n_images"] == 12 and by_table["n_masks"] == 9
    assert by_table == pytest.approx(by_folder)
    other = ["--split", "valid", "--column", "mask=", "--json", str(files[2])]
    assert main(["evaluate", *table, *other, str(model)]) == 0
    assert "n_masks" not in json.loads(files[2].read_text())


def test_predict_and_explain_know_the_labels_of_rows(root, model, tmp_path, capsys):
    """Labels come from the table, although no folder is named like a class."""
    place = tmp_path / "rows.csv"
    file, other = sorted((root / "test" / "images").rglob("*.png"))[:2]
    for number, source in enumerate((file, other)):
        Image.open(source).save(tmp_path / f"{number}.png")
    place.write_text("path,label\n0.png,wren\n1.png,wren\n")
    (tmp_path / "wrong.csv").write_text("path,label\n0.png,wren\n1.png,\n")
    assert main(["predict", str(model), "--table", str(place)]) == 0
    rows, said = capsys.readouterr()
    assert rows.splitlines()[1].startswith(f"{tmp_path}/0.png,") and "right: " in said
    assert "rows.csv: 2 rows\n" in said
    assert main(["predict", str(model), "--table", str(tmp_path / "wrong.csv")]) == 0
    assert "right: " not in capsys.readouterr().err
    outputs = ["--json", str(tmp_path / "e.json"), "--masks", str(tmp_path / "out")]
    assert main(["explain", str(model), "--table", str(place), *outputs]) == 0
    found = json.loads((tmp_path / "e.json").read_text())
    assert [row["label"] for row in found] == ["wren", "wren"]
    assert (tmp_path / "out" / "1.png").is_file()


def test_tune_looks_at_the_validation_rows(root, model, table, tmp_path, capsys):
    files = [tmp_path / name for name in ("table.json", "folder.json")]
    assert main(["tune", str(model), *table, "--json", str(files[0])]) == 0
    folder = str(root / "validation" / "images")
    assert main(["tune", str(model), folder, "--json", str(files[1])]) == 0
    assert json.loads(files[0].read_text()) == json.loads(files[1].read_text())


def test_audit_compares_train_and_test_rows(root, model, table, monkeypatch, capsys):
    seen = []

    def audit(model, X, y, X_test, y_test, *, groups, masks, judge, roar):
        seen.extend((numbers(X), y, numbers(X_test), y_test, masks, groups))
        return "a verdict"

    monkeypatch.setattr(p2pselect, "audit", audit)
    assert main(["audit", str(model), *table]) == 0
    learned, y, new, y_test, masks, groups = seen
    assert learned == list(range(12)) and new == list(range(24, 36))
    assert y == y_test == LABELS and len(groups) == 12
    empty = np.flatnonzero(~masks.any(axis=(1, 2)))
    assert masks.shape == (12, 32, 32) and empty.tolist() == [3, 6, 11]


def test_regions_of_the_training_rows_are_drawn(root, table, tmp_path):
    out = ["--out", str(tmp_path / "out"), "--segments", "9"]
    assert main(["regions", *table, *out]) == 0
    drawn = sorted(file.name for file in (tmp_path / "out").rglob("*.png"))
    assert drawn == [f"{number:02d}.png" for number in range(12)]


def test_the_app_shows_the_test_rows(root, monkeypatch):
    seen = []
    # What the table says of an image counts, not the name of its folder.
    said = (root / "labels.csv").read_text(encoding="utf-8")
    said = said.replace(",robin,", ",?,").replace(",wren,", ",robin,").replace(",?,", ",wren,")
    (root / "turned.csv").write_text(said, encoding="utf-8")
    table = ["--table", str(root / "turned.csv")]

    def create_app(model, files, y, **how):
        seen.extend((files, y, how["names"]))
        raise InputError("enough")

    model = SimpleNamespace(
        _meaning=lambda fitted: {}, multilabel_=False, classes_=np.array(["robin", "wren"])
    )
    monkeypatch.setattr("p2pselect.cli._files.load_model", lambda *_: model)
    monkeypatch.setattr("p2pselect.app.create_app", create_app)
    assert main(["app", "x.model", *table, "--port", "0"]) == 1
    files, y, names = seen
    assert [int(file[-6:-4]) for file in files] == [*range(24, 36, 2), *range(25, 36, 2)]
    assert y.tolist() == LABELS[::-1] and names[0] == "robin/24.png"


def test_damaged_rows_are_left_out_with_all_that_belongs_to_them(
    root, model, fitted, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    rows = [absolute(row, root) for row in rows_of(root)]
    rows = [f"{root}/lost.png,wren,train,g,", *rows, f"{tmp_path}/empty.png,robin,test,h,"]
    (tmp_path / "empty.png").touch()
    place = tmp_path / "some.csv"
    place.write_text("\n".join([HEAD, *rows]))
    assert main(["fit", "--table", str(place), "--validation", "none"]) == 1
    said = capsys.readouterr().err
    assert "some.csv, line 2: there is no image" in said and "--on-error skip" in said
    skip = ["--table", str(place), "--on-error", "skip"]
    assert main(["fit", *skip, "--validation", "none"]) == 1
    assert fitted["groups"].tolist() == GROUPS
    assert fitted["labels"].tolist() == LABELS
    assert main(["evaluate", str(model), *skip, "--json", str(tmp_path / "e.json")]) == 0
    assert json.loads((tmp_path / "e.json").read_text())["n_masks"] == 9
    capsys.readouterr()
    assert main(["predict", str(model), *skip]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "m", "DIR", "--table", "t.csv"], "leave out the folders and files"),
        (["predict", "m", "a.png", "--table", "t.csv"], "leave out the folders and files"),
        (["audit", "m", "DIR", "--table", "t.csv"], "leave out the folders and files"),
        (["app", "m", "DIR", "--table", "t.csv"], "leave out the folders and files"),
        (["regions", "DIR", "--out", "o", "--table", "t.csv"], "leave out the folders and"),
        (["evaluate", "m", "DIR", "--split", "test"], "--split is about a table"),
        (["fit", "DIR", "--column", "label=x"], "--column is about a table"),
        (["evaluate", "m", "--table", "t.csv", "--json", "t.csv"], "would replace a file that"),
        (["fit", "--table", "nowhere.csv"], "nowhere.csv cannot be read"),
    ],
)
def test_one_line_about_what_does_not_go_together(
    arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_wrong_columns_are_wrong_usage(capsys):
    with pytest.raises(SystemExit) as end:
        main(["evaluate", "m", "--table", "t.csv", "--column", "labels=x"])
    assert end.value.code == 2 and "one of path, label, split" in capsys.readouterr().err


def test_what_a_table_lacks_is_said(root, model, tmp_path, capsys):
    place = tmp_path / "t.csv"
    rows = [absolute(row, root) for row in rows_of(root) if ",train," in row]
    place.write_text("\n".join([HEAD, *rows]))
    assert main(["tune", str(model), "--table", str(place)]) == 1
    assert "no row has the split 'validation', only 'train' (12 rows); --split" in (
        capsys.readouterr().err
    )
    assert main(["audit", str(model), "--table", str(place), "--column", "split="]) == 1
    assert "no column called split" in capsys.readouterr().err
    place.write_text("\n".join([HEAD.replace("label", "species"), *rows]))
    assert main(["evaluate", str(model), "--table", str(place)]) == 1
    assert "no column called label or class" in capsys.readouterr().err


def test_classes_that_the_model_does_not_know_are_named(root, model, table, tmp_path, capsys):
    assert main(["evaluate", str(model), *table, "--column", "label=group"]) == 1
    said = capsys.readouterr().err
    assert "labels.csv (test) has classes that the model does not know: ['n12'," in said


def test_help_says_what_is_taken(capsys):
    splits = {"fit": "train", "regions": "train", "tune": "validation", "predict": "test"}
    for command, split in {**splits, "app": "test"}.items():
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert f"(default: {split})" in " ".join(capsys.readouterr().out.split())


def test_a_model_of_a_table_loads(model):
    assert load(model).classes_.tolist() == ["robin", "wren"]
