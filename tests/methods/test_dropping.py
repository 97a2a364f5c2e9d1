"""Methods whose vision transformer never sees a patch in which nothing is kept."""

import numpy as np
import pytest
import torch
from methods.test_faithful import assert_hidden_pixels_do_not_matter
from torch import nn

from p2pselect import SuperpixelTransformer, export_onnx, load
from p2pselect.exceptions import InputError
from p2pselect.methods import METHODS, JudgeClassifier, P2PClassifier
from p2pselect.presets import settings_for

#: A small transformer of 16 patches of 8 x 8 pixels.
DROPPING = {
    "classifier": "vit_tiny_patch16_224",
    "networks__classifier_options": {
        "patch_size": 8,
        "embed_dim": 24,
        "depth": 2,
        "num_heads": 2,
    },
    "networks__fill": "drop",
    "pretrained": False,
    "tau": 0.3,
}
ON_FOUR_PATCHES = {
    **DROPPING,
    "networks__classifier_options": {
        "patch_size": 16,
        "embed_dim": 32,
        "depth": 1,
        "num_heads": 2,
    },
    "regions": SuperpixelTransformer(n_segments=4, engine="grid"),
    "augment": None,
    "validation": None,
}
BINARY = {
    "p2p": {"selection": "budget"},
    "realx": {},
    "invase": {},
    "blackbox_pixel": {},
}


def patches_that_enter(clf, call):
    """How many tokens of patches each pass gets, and the result of the call."""
    sizes = []
    hook = clf.module_.classifier.network.blocks[0].register_forward_pre_hook(
        lambda _, args, __: sizes.append(args[0].shape[0] * (args[0].shape[1] - 1)),
        with_kwargs=True,
    )
    try:
        return call(), sizes
    finally:
        hook.remove()


@pytest.mark.parametrize("name", BINARY)
def test_removed_pixels_do_not_matter(name, make, X, y):
    method = METHODS[name].cls
    patches = SuperpixelTransformer(n_segments=16, engine="grid")
    asked = {**DROPPING, **BINARY[name], "max_epochs": 0, "regions": patches}
    clf = make(method, **settings_for(method, asked)).fit(X[:12], y[:12])
    assert_hidden_pixels_do_not_matter(clf, X[:12])
    exp, sizes = patches_that_enter(clf, lambda: clf.explain(X[:12]))
    kept = exp.masked_images.any(axis=-1).reshape(12, 4, 8, 4, 8).any(axis=(2, 4)).sum()
    assert kept <= sum(sizes) < 12 * 16
    recomputed = clf.predict_proba_masked(exp.masked_images)
    np.testing.assert_allclose(recomputed, exp.proba, atol=1e-5)
    alone = np.concatenate([clf.predict_proba(X[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(alone, exp.proba[:3], atol=1e-5)


def test_training_drops_patches_and_saved_models_too(make, X, y, tmp_path):
    patches = SuperpixelTransformer(n_segments=16, engine="grid")
    settings = {**DROPPING, "regions": patches, "max_epochs": 1, "validation": None}
    clf = make(P2PClassifier, **settings, objective__random_share=0.9).fit(X, y)
    clf.set_params(warm_start=True)
    _, sizes = patches_that_enter(clf, lambda: clf.fit(X, y))
    assert 0 < sum(sizes) < 0.9 * 16 * len(X)
    clf.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.fill_ == again.module_.classifier.fill == "drop"
    np.testing.assert_allclose(again.predict_proba(X), clf.predict_proba(X), atol=1e-5)
    with pytest.raises(InputError, match="export_onnx writes networks that every patch enters"):
        export_onnx(clf, tmp_path / "onnx")
    assert JudgeClassifier.like(clf).get_params()["networks__fill"] == "drop"


@pytest.mark.parametrize("name", ["comet", "infomask", "l2x", "rbaem", "diet"])
def test_continuous_masks_drop_nothing_and_are_refused(name, make, X, y):
    method = METHODS[name].cls
    with pytest.raises(InputError, match="learns from binary masks"):
        make(method, **settings_for(method, DROPPING)).fit(X, y)


def test_other_networks_are_refused(make, X, y):
    with pytest.raises(InputError, match="needs a vision transformer of timm"):
        make(P2PClassifier, networks__fill="drop").fit(X, y)


def one_colored_patch(n, seed):
    """The label is the color of one of 4 patches; the others are gray noise."""
    rng = np.random.default_rng(seed)
    x = rng.integers(60, 200, (n, 4, 1)) + rng.integers(-20, 20, (n, 4, 3))
    place, label = rng.integers(0, 4, n), rng.integers(0, 2, n)
    x[np.arange(n), place] = np.array([[220, 30, 30], [30, 30, 220]])[label]
    images = x.reshape(n, 2, 2, 3).repeat(16, axis=1).repeat(16, axis=2)
    return images.astype(np.uint8), label, place


def test_it_learns_from_what_is_there_and_masks_learn_what_they_should_keep(make):
    images, labels, _ = one_colored_patch(512, 0)
    clf = make(
        P2PClassifier,
        **ON_FOUR_PATCHES,
        batch_size=32,
        lr=4e-3,
        max_epochs=10,
        objective__warmup_epochs=10,
    )
    model = clf.fit(images, labels).module_
    images, labels, place = one_colored_patch(200, 1)
    shown = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    regions = torch.from_numpy(clf.regions_.propose_batch(images).astype(np.int64))
    target, place = torch.from_numpy(labels), torch.from_numpy(place)
    colored = nn.functional.one_hot(place, 4).float()
    with torch.no_grad():
        for masks in (colored, torch.ones(200, 4)):
            right = model.classify(shown, regions, masks).argmax(dim=1) == target
            assert right.float().mean() >= 0.9  # by chance, .5
    # Half of everything: more of the color would lower the loss, more of the rest raise it.
    masks = torch.full((200, 4), 0.5, requires_grad=True)
    logits = model.classify(shown, regions, masks)
    nn.functional.cross_entropy(logits, target, reduction="sum").backward()
    own = masks.grad[torch.arange(200), place]
    rest = (masks.grad.sum(dim=1) - own) / 3
    assert own.mean() < -0.01 and own.mean() < rest.mean() - 0.02


def color_of_patches(n_maps):
    """A selector that sees the mean colors of the patches."""
    layers = nn.AvgPool2d(16), nn.Conv2d(3, 16, 1), nn.ReLU(), nn.Conv2d(16, n_maps, 1)
    return nn.Sequential(*layers)


@pytest.mark.slow
def test_a_selector_learns_which_patch_must_not_be_dropped(make):
    """From the gradient of the attention alone: random masks teach the classifier."""
    images, labels, _ = one_colored_patch(512, 0)
    clf = make(
        P2PClassifier,
        **{**ON_FOUR_PATCHES, "tau": 0.25},
        selector=color_of_patches,
        networks__selector_options=None,
        batch_size=64,
        lr=2e-2,
        max_epochs=30,
        objective__warmup_epochs=6,
        objective__random_share=0.5,
        objective__classifier_learns_from="random",
    )
    clf.fit(images, labels)
    images, labels, place = one_colored_patch(200, 1)
    exp = clf.explain(images)
    assert exp.kept_fraction.max() <= 0.25
    shown = exp.region_masks[np.arange(200), place]
    assert shown.mean() >= 0.6  # by chance, .25; .92 and .80 with two seeds
    assert np.mean(exp.predicted == labels) >= 0.7  # by chance, .5; .94 and .80
