"""Networks of users: refused before training where they return the wrong thing."""

from collections import namedtuple

import pytest
import torch
from torch import nn

from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._selectors import build_pixel_scorer

Outputs = namedtuple("Outputs", ["logits", "aux"])


class Net(nn.Module):
    """Logits of means over the image, put into whatever ``wrap`` makes of them."""

    def __init__(self, n, wrap=lambda logits, training: logits):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Dropout(0.5), nn.Linear(4, n),
        )  # fmt: skip
        self.wrap = wrap

    def forward(self, images):
        return self.wrap(self.body(images), self.training)


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (lambda out, training: {"logits": out}, "got a dict of logits"),
        (
            lambda out, training: Outputs(out, 1) if training else out,
            "got a Outputs of logits, aux",
        ),
        (lambda out, training: (out, out), "got a tuple"),
        (lambda out, training: out[:, :1], r"expected shape \(2, 3\), got \(2, 1\)"),
        (lambda out, training: torch.cat([out, out], 1), r"expected .*\(2, 3\), got \(2, 6\)"),
        (lambda out, training: out.argmax(1, True).expand(2, 3), "floating-point"),
        (lambda out, training: out[0], r"got \(3,\)"),
        (lambda out, training: out.no_such_thing, "Net fails on images .*AttributeError"),
    ],
)
def test_classifiers_refused(wrap, message):
    with pytest.raises(InputError, match=f"classifier.*{message}"):
        build_classifier(lambda n: Net(n, wrap), 3, 16)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            lambda n: nn.Conv2d(3, n + 1, 1),
            r"expected shape \(2, 4, height, width\), got \(2, 5,",
        ),
        (lambda n: Net(n), r"got \(2, 4\)"),
        (lambda n: Net(n, lambda out, training: {"out": out}), "got a dict of out"),
        (nn.Conv2d(3, 4, 1), "selector must be the name of a network or a factory.*Conv2d"),
        (lambda n: "resnet", "the factory returned a str"),
    ],
)
def test_selectors_refused(factory, message):
    with pytest.raises(InputError, match=message):
        build_pixel_scorer(factory, 4)


def test_a_module_in_place_of_a_factory():
    with pytest.raises(
        InputError, match="classifier must be .* got a module .Net.: pass a func"
    ):
        build_classifier(Net(2), 2, 16)


def test_softmax_inside():
    with pytest.warns(P2PSelectWarning, match="seems to return probabilities"):
        build_classifier(lambda n: Net(n, lambda out, training: out.softmax(1)), 3, 16)


@pytest.mark.filterwarnings("error")
def test_trying_changes_nothing():
    made = Net(3)
    before = {k: v.clone() for k, v in made.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    network = build_classifier(lambda n: made, 3, 16).network
    assert torch.equal(torch.rand(3), expected)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert network.training and network is not made
    # Training the copy leaves the user's own module alone.
    assert network.body[0].weight is not made.body[0].weight
