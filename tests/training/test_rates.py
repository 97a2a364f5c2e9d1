"""Learning rates of backbones and heads, and labels that are smoothed."""

import pytest
import timm
import torch
import torch.nn.functional as F
from skorch.callbacks import Callback
from torch import nn

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.methods import BlackboxClassifier, INVASEClassifier, RealXClassifier
from p2pselect.nn._frozen import backbone_parameters
from p2pselect.nn._image_network import ImageNetwork, as_image_network
from p2pselect.training import Step

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": "grid",
    "max_epochs": 2,
    "objective__warmup_epochs": 1,
    "batch_size": 8,
    "lr": 1e-2,
    "random_state": 0,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(16, image_size=32, random_state=0)
    return made.images, made.target % 2


class Rates(Callback):
    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.seen.append([group["lr"] for group in net.optimizer_.param_groups])


@pytest.mark.parametrize("schedule", ["constant", "onecycle", "cosine"])
def test_backbones_learn_at_a_share_of_the_rate(scenes, schedule):
    rates = Rates()
    settings = {"training__lr_schedule": schedule, "training__callbacks": [rates]}
    clf = P2PClassifier().set_params(**SETTINGS, **settings, training__backbone_lr_share=0.1)
    clf.fit(*scenes)
    heads, backbones = clf.net_.optimizer_.param_groups
    names = {id(p): name for name, p in clf.module_.named_parameters()}
    slow = {names[id(p)] for p in backbones["params"]}
    assert len(slow) + len(heads["params"]) == len(names) and "selector.raw_slope" not in slow
    assert {name for name in slow if "head" in name or ".fc." in name} == set()
    assert any(name.startswith("selector.pixel_scorer.network.backbone.") for name in slow)
    assert any(name.startswith("classifier.network.layer1.") for name in slow)
    assert len(rates.seen) == 4
    for head, backbone in rates.seen:
        assert backbone == pytest.approx(0.1 * head)
    plain = Rates()
    clf.set_params(training__backbone_lr_share=1.0, training__callbacks=[plain]).fit(*scenes)
    assert plain.seen == [[pytest.approx(head)] for head, _ in rates.seen]


def test_training_goes_on_with_other_groups(scenes):
    clf = P2PClassifier().set_params(**SETTINGS).partial_fit(*scenes)
    for share, n_groups in ((0.1, 2), (0.2, 2), (1.0, 1)):
        clf.set_params(training__backbone_lr_share=share).partial_fit(*scenes)
        assert len(clf.net_.optimizer_.param_groups) == n_groups


def test_the_backbone_is_all_but_the_head():
    own = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(64, 2))
    vit = timm.create_model("test_vit", num_classes=3, img_size=32)
    model = nn.ModuleList([ImageNetwork(own), as_image_network(vit), nn.Linear(2, 2)])
    others = {name for name, _ in model.named_parameters()} - backbone_parameters(model)
    heads = {
        f"{place}.{kind}"
        for place in ("0.network.2", "1.network.head", "2")
        for kind in ("weight", "bias")
    }
    assert others == heads


def step(logits, smoothing):
    target = torch.tensor([0, 2, 1])
    images, regions = torch.rand(3, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.int64)
    return Step(None, images, regions, target, torch.arange(3), 1.0, label_smoothing=smoothing)


def test_a_step_smooths_its_labels():
    logits = torch.randn(3, 4, generator=torch.manual_seed(0))
    smoothed = step(logits, 0.2).cross_entropy(logits)
    want = F.cross_entropy(logits, torch.tensor([0, 2, 1]), reduction="none")
    torch.testing.assert_close(step(logits, 0.0).cross_entropy(logits), want)
    told = 0.8 * F.one_hot(torch.tensor([0, 2, 1]), 4) + 0.05
    want = -(told * logits.log_softmax(dim=1)).sum(dim=1)
    torch.testing.assert_close(smoothed, want)
    samples = logits[None].expand(5, -1, -1)
    torch.testing.assert_close(step(logits, 0.2).cross_entropy(samples), smoothed)


@pytest.mark.parametrize(
    "method", [P2PClassifier, BlackboxClassifier, RealXClassifier, INVASEClassifier]
)
def test_training_is_on_smoothed_labels_and_measures_are_not(scenes, method):
    def losses(smoothing):
        # Nothing moves at this rate, so that the same answers are measured.
        changes = {"lr": 1e-30, "batch_size": 16, "training__label_smoothing": smoothing}
        changes |= {"validation": 0.5, "max_epochs": 1, "objective__warmup_epochs": 0}
        settings = {**SETTINGS, **changes, "training__weight_decay": 0.0}
        known = presets.settings_for(method, settings)
        row = method().set_params(**known).fit(*scenes).history_[0]
        name = next(k for k in row if k.startswith("train_") and k.endswith("cross_entropy"))
        return row[name], row[name.replace("train_", "valid_")]

    (plain, measured), (smoothed, same) = losses(0.0), losses(0.5)
    assert abs(plain - smoothed) > 1e-5 and measured == pytest.approx(same, abs=1e-7)
