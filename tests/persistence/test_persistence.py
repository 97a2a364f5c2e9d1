"""Saved models: exact, without pickle, refused where they are not what they claim."""

import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from p2pselect import P2PClassifier
from p2pselect._model_folder import CARD, CONFIG, FORMAT, WEIGHTS, config_digest
from p2pselect.exceptions import InputError, ModelFileError
from p2pselect.methods import BlackboxClassifier
from p2pselect.persistence import describe, load


@pytest.fixture
def saved(clf, tmp_path):
    clf.save(tmp_path / "model")
    return tmp_path / "model"


def _rewrite(folder, **changes):
    """Change the config and make its checksum fit, as someone with intent would."""
    config = json.loads((folder / CONFIG).read_text())
    config.update(changes)
    config["config_sha256"] = config_digest(config)
    (folder / CONFIG).write_text(json.dumps(config))


def test_exact_and_only_three_files(clf, saved, X):
    assert sorted(p.name for p in saved.iterdir()) == [CARD, CONFIG, WEIGHTS]
    again = P2PClassifier.load(saved)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert again.classes_.tolist() == ["<b>a</b>", "ü"]
    np.testing.assert_array_equal(load(saved).transform(X), clf.transform(X))
    assert again.partial_fit(X, ["ü", "<b>a</b>"] * 12).predict(X).shape == (24,)


def test_saving_again_replaces_a_model_and_nothing_else(clf, saved, tmp_path):
    clf.save(saved)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("Dear")
    with pytest.raises(InputError, match="not overwritten"):
        clf.save(tmp_path / "letters")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["letters", "model"]


def test_what_people_put_beside_a_model_is_not_lost(clf, saved):
    (saved / ".git").mkdir()
    (saved / "notes.txt").write_text("Ana's leaves")
    with pytest.raises(InputError, match=r"would be lost.*'.git', 'notes.txt'"):
        clf.save(saved)
    assert len([*saved.iterdir()]) == 5 and (saved / "notes.txt").read_text() == "Ana's leaves"


def test_what_a_model_says_about_itself_loads_nothing_heavy(clf, saved):
    program = (
        "import sys\nfrom p2pselect.persistence import describe\n"
        f"print(describe({str(saved)!r})['image_size'])\n"
        "print(sorted({'torch', 'sklearn', 'scipy', 'skimage', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == f"{clf.image_size}\n[]\n", done.stderr


@pytest.mark.parametrize(
    ("given", "said"), [(48, 48), ({"tuple": [32, 32]}, 32), ([32, 64], (32, 64))]
)
def test_a_model_says_its_grid_as_one_number_where_it_is_a_square(saved, given, said):
    config = json.loads((saved / CONFIG).read_text())
    _rewrite(saved, params={**config["params"], "image_size": given})
    assert describe(saved)["image_size"] == said


def test_not_fitted(tmp_path):
    with pytest.raises(NotFittedError):
        P2PClassifier().save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_functions_cannot_be_saved_and_nothing_is_left(clf, tmp_path):
    other = pickle.loads(pickle.dumps(clf)).set_params(augment=np.fliplr)
    with pytest.raises(InputError, match="augment=.*joblib"):
        other.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_another_class(saved):
    with pytest.raises(ModelFileError, match="holds a P2PClassifier, not a Blackbox"):
        BlackboxClassifier.load(saved)


@pytest.mark.parametrize("change", [{"class": "os.system"}, {"format": FORMAT + 1}])
def test_unknown_class_and_newer_format(saved, change):
    _rewrite(saved, **change)
    with pytest.raises(ModelFileError, match="must be one of|newer p2pselect"):
        load(saved)


def test_settings_that_do_not_fit_the_weights(saved):
    config = json.loads((saved / CONFIG).read_text())
    _rewrite(saved, params={**config["params"], "networks__embedding_dim": 5})
    with pytest.raises(ModelFileError, match="do not fit the settings"):
        load(saved)


def test_a_config_that_was_changed(saved):
    text = (saved / CONFIG).read_text(encoding="utf-8")
    changed = text.replace('"tau": "dynamic"', '"tau": "dynamik"')
    assert changed != text
    (saved / CONFIG).write_text(changed, encoding="utf-8")
    with pytest.raises(ModelFileError, match="is damaged: its checksum"):
        load(saved)


def test_weights_of_another_model(saved, clf, tmp_path):
    other = pickle.loads(pickle.dumps(clf))
    other.module_.selector.raw_slope.data.add_(1)
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / WEIGHTS, saved / WEIGHTS)
    with pytest.raises(ModelFileError, match="wrong checksum"):
        load(saved)


@pytest.mark.parametrize("missing", [CONFIG, WEIGHTS])
def test_missing_files(saved, missing):
    (saved / missing).unlink()
    with pytest.raises(ModelFileError, match=f"has no {missing}"):
        load(saved)


def test_pickle_is_exact_small_and_on_the_cpu(clf, X):
    content = pickle.dumps(clf)
    state = clf.module_.state_dict()
    assert len(content) < 1.1 * sum(v.numel() * v.element_size() for v in state.values())
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert all(p.device == torch.device("cpu") for p in again.module_.parameters())
    assert not hasattr(clone(again), "net_")
