"""A model from a stranger reads and writes nothing outside of its folder."""

import json
import shutil

import pytest
import torch

from p2pselect import P2PClassifier, SuperpixelTransformer
from p2pselect._model_folder import CONFIG, WEIGHTS, config_digest
from p2pselect.exceptions import ModelFileError, P2PSelectWarning
from p2pselect.persistence import load


@pytest.fixture
def saved(clf, tmp_path):
    clf.save(tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder, **params):
    """Change settings as someone with intent would: the checksum fits."""
    config = json.loads((folder / CONFIG).read_text())
    config["params"] |= params
    config["config_sha256"] = config_digest(config)
    (folder / CONFIG).write_text(json.dumps(config))


def regions_with(**params):
    settings = {**SuperpixelTransformer(n_segments=9).get_params(), **params}
    return {"SuperpixelTransformer": settings}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("regions", lambda path: regions_with(cache_dir=path)),
        ("training__checkpoint_dir", str),
        ("pretrained", str),
        ("pretrained", lambda path: {"classifier": path, "selector": False}),
        ("training__callbacks", lambda path: [path]),
    ],
)
def test_paths_are_ignored_with_a_word(saved, X, tmp_path, name, value):
    elsewhere = tmp_path / "elsewhere"
    rewrite(saved, **{name: value(str(elsewhere))})
    with pytest.warns(P2PSelectWarning, match=f"another machine in {name}: they are ignored"):
        again = load(saved)
    again.predict(X[:2])
    again.set_params(max_epochs=0).fit(X, [0, 1] * 12)
    assert not elsewhere.exists()
    assert str(elsewhere) not in repr(again.get_params())


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS])
def test_links_that_leave_the_folder(saved, tmp_path, file):
    (tmp_path / "elsewhere").mkdir()
    shutil.move(saved / file, tmp_path / "elsewhere" / file)
    (saved / file).symlink_to(tmp_path / "elsewhere" / file)
    with pytest.raises(ModelFileError, match=f"{file} is a link to .*elsewhere"):
        load(saved)


def test_links_to_and_within_the_folder(saved, tmp_path):
    (saved / WEIGHTS).rename(saved / "blob")
    (saved / WEIGHTS).symlink_to("blob")
    expected = load(saved).module_.state_dict()
    (tmp_path / "latest").symlink_to(saved)
    found = load(tmp_path / "latest").module_.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    "option",
    [
        {"checkpoint_path": "/etc/passwd"},
        {"pretrained_cfg": {"file": "/etc/passwd"}},
        {"pretrained_cfg_overlay": {"file": "/etc/passwd"}},
        {"cache_dir": "/elsewhere"},
        {"pretrained": True},
    ],
)
def test_options_that_name_files(saved, option):
    rewrite(saved, networks__classifier_options=option)
    (name,) = option
    with pytest.raises(ModelFileError, match=f"classifier_options.*{name}"):
        load(saved)


@pytest.mark.parametrize(
    "params",
    [
        {"image_size": 10**9},
        {"networks__selector_image_size": 10**9},
        {"search__tau_step": 1e-12},
        {"networks__embedding_dim": 10**9},
        {"networks__selector_options": {"strides": [4, 16], "head_channels": 10**9}},
        {
            "classifier": "vit_tiny_patch16_224",
            "networks__classifier_options": {"depth": 10**9},
        },
        {
            "classifier": "vit_tiny_patch16_224",
            "networks__classifier_options": {"depth": 2**16},
        },
        {"regions": regions_with(engine="os.system")},
        {"regions": regions_with(n_segments=-1)},
        {"regions": "os.system"},
        {"classifier": "hf-hub:someone/something"},
        {"classifier": "local-dir:/etc"},
        {"training__optimizer": {"optimizer": "os.system"}},
    ],
)
def test_absurd_settings(saved, params):
    rewrite(saved, **params)
    with pytest.raises(ModelFileError):
        load(saved)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("n_channels_seen_", absurd) for absurd in (2**17, 0, -1, True, 3.0, None, "3")),
        *(
            ("normalization_", constants)
            for constants in ([[0.5] * 3, [0.0] * 3], [[0.5] * 3], [[0.5], [0.5]], 1e308)
        ),
        ("value_range_", "white"),
        ("value_range_", "percentiles"),
        ("value_range_", [[0.0, 1.0]] * 2),
        ("value_range_", [[1.0, 0.0]]),
        ("class_counts_", {"trained": [12, 12]}),
        ("class_counts_", {"trained": [24], "held_out": [0]}),
        ("class_counts_", {"trained": [12, -12], "held_out": [0, 0]}),
        ("class_counts_", {"trained": [12, "12"], "held_out": [0, 0]}),
    ],
)
def test_what_no_training_has_seen(saved, name, value):
    config = json.loads((saved / CONFIG).read_text())
    config["fitted"][name] = value
    config["config_sha256"] = config_digest(config)
    (saved / CONFIG).write_text(json.dumps(config))
    # Before anything is built: a network for so many channels would fill the memory.
    with pytest.raises(ModelFileError, match=name.rstrip("_")):
        load(saved)


def test_nothing_is_downloaded_for_a_model(clf, saved, monkeypatch):
    from p2pselect.nn import _backbones as backbones
    from p2pselect.nn import _selectors as selectors

    def refuse(name, pretrained, build):
        assert pretrained is False
        return build(False)

    monkeypatch.setattr(backbones, "with_pretrained", refuse)
    monkeypatch.setattr(selectors, "with_pretrained", refuse)
    rewrite(saved, pretrained=True)
    assert load(saved).pretrained is True


def test_classes_of_an_absurd_type(saved):
    config = json.loads((saved / CONFIG).read_text())
    config["classes"]["dtype"] = "<U100000000"
    config["config_sha256"] = config_digest(config)
    (saved / CONFIG).write_text(json.dumps(config))
    assert P2PClassifier.load(saved).classes_.dtype == "<U8"
