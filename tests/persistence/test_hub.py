"""Models on the Hugging Face hub, of which a folder plays the part: no test needs a network."""

import inspect
import shutil
from fnmatch import fnmatch

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub.errors import HFValidationError

from p2pselect._model_folder import CARD, CONFIG, WEIGHTS
from p2pselect.exceptions import InputError, ModelFileError
from p2pselect.persistence import load, pull_from_hub, push_to_hub

FILES = [CARD, CONFIG, WEIGHTS]


class FakeHub:
    """Three functions with the signatures of the real ones; repositories are folders."""

    def __init__(self, root):
        self.root, self.made = root, {}

    def create_repo(self, repo_id, **given):
        if self.made.setdefault(repo_id, given) is not given:
            assert given["exist_ok"]
        (self.root / repo_id).mkdir(parents=True, exist_ok=True)
        return f"https://hub/{repo_id}"

    def upload_folder(self, *, repo_id, folder_path, allow_patterns=None, **given):
        assert given["commit_message"]
        self._copy(folder_path, self.root / repo_id, allow_patterns)

    def snapshot_download(self, repo_id, *, local_dir, allow_patterns=None, **given):
        if not (self.root / repo_id).exists():
            raise ValueError(f"404 Client Error.\n\nRepository\n  {repo_id} not found.")
        self._copy(self.root / repo_id, local_dir, allow_patterns)
        (local_dir / ".cache" / "huggingface").mkdir(parents=True)

    def _copy(self, source, target, patterns):
        for file in source.iterdir():
            if patterns is None or any(fnmatch(file.name, pattern) for pattern in patterns):
                (shutil.copytree if file.is_dir() else shutil.copy)(file, target / file.name)


def checked(signature, function):
    """The function, which refuses the arguments that another signature refuses."""

    def call(*args, **given):
        signature.bind(*args, **given)
        return function(*args, **given)

    return call


@pytest.fixture
def hub(tmp_path, monkeypatch):
    fake = FakeHub(tmp_path / "hub")
    for name in ("create_repo", "upload_folder", "snapshot_download"):
        real = inspect.signature(getattr(huggingface_hub, name))
        monkeypatch.setattr(huggingface_hub, name, checked(real, getattr(fake, name)))
    return fake


@pytest.fixture
def saved(clf, tmp_path):
    clf.save(tmp_path / "model")
    return tmp_path / "model"


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_there_and_back_the_same_model_and_nothing_else(hub, saved, clf, X, tmp_path):
    (saved / "secret.jpg").write_bytes(b"a photograph")
    (saved / "sub").mkdir()
    assert push_to_hub(saved, "ana/leaves", private=True) == "https://hub/ana/leaves"
    assert hub.made["ana/leaves"]["private"] is True
    assert names(hub.root / "ana/leaves") == FILES
    push_to_hub(saved, "ana/leaves")  # again, into what is there now
    (hub.root / "ana/leaves/virus.exe").write_bytes(b"?")
    (hub.root / "ana/leaves" / CARD).write_text("Ana's words")
    pulled = pull_from_hub("ana/leaves", tmp_path / "new" / "leaves.model")
    assert names(pulled) == FILES
    assert (pulled / CARD).read_text() == "Ana's words"
    np.testing.assert_array_equal(load(pulled).predict_proba(X), clf.predict_proba(X))
    assert pull_from_hub("ana/leaves", pulled) == pulled


def test_only_a_model_is_uploaded(hub, saved, tmp_path):
    (saved / WEIGHTS).write_bytes(b"damaged")
    for folder in (saved, tmp_path / "nothing"):
        with pytest.raises(ModelFileError, match="damaged|not a saved model"):
            push_to_hub(folder, "ana/leaves")
    assert not hub.made


def test_what_is_not_a_model_is_not_downloaded(hub, saved, tmp_path):
    push_to_hub(saved, "ana/leaves")
    (hub.root / "ana/leaves" / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(
        ModelFileError, match="what 'ana/leaves' has on the hub: ana/leaves/"
    ) as e:
        pull_from_hub("ana/leaves", tmp_path / "leaves.model")
    assert "\n" not in str(e.value) and not (tmp_path / "leaves.model").exists()
    (hub.root / "ana/leaves" / CONFIG).unlink()
    with pytest.raises(ModelFileError, match="it has no config"):
        pull_from_hub("ana/leaves", saved)
    assert load(saved).classes_.tolist() == ["<b>a</b>", "ü"]
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("Dear")
    with pytest.raises(InputError, match="not overwritten"):
        pull_from_hub("ana/leaves", tmp_path / "letters")


def test_errors_of_the_hub_are_one_line(hub, saved, tmp_path, monkeypatch):
    said = "'ana/none' cannot be downloaded from the Hugging Face hub: ValueError: 404 Client"
    with pytest.raises(ModelFileError, match=said) as error:
        pull_from_hub("ana/none", tmp_path / "m")
    assert "\n" not in str(error.value) and str(error.value).endswith("ana/none not found.")

    def refuse(*args, **given):
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr(huggingface_hub, "create_repo", refuse)
    with pytest.raises(ModelFileError, match="uploaded to .*: ConnectionError: no network$"):
        push_to_hub(saved, "ana/leaves")
    assert names(tmp_path) == ["model"]


def test_the_real_library_refuses_a_bad_name_without_a_network(tmp_path):
    with pytest.raises(ModelFileError, match="HFValidationError") as error:
        pull_from_hub("a/b/c/d", tmp_path / "m")
    assert isinstance(error.value.__cause__, HFValidationError)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())
