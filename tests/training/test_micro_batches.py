import numpy as np
import pytest
import torch
from torch import nn

from p2pselect import datasets
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.methods import BlackboxClassifier
from p2pselect.training._net import SelectiveNet


class Logits(nn.Module):
    """No batch statistics, so that the gradient of an image is its own."""

    def __init__(self, n_classes):
        super().__init__()
        self.last = nn.Linear(3 * 16 * 16, n_classes)

    def forward(self, images):
        return self.last(images.flatten(1))


def fit(**changes):
    scenes = datasets.make_digit_scenes(21, image_size=16, random_state=0)
    settings = {
        "classifier": Logits,
        "image_size": 16,
        "regions": "grid",
        "batch_size": 10,
        "max_epochs": 3,
        "lr": 0.01,
        "training__optimizer": "sgd",
        "augment": None,
        "random_state": 0,
    }
    clf = BlackboxClassifier().set_params(**{**settings, **changes})
    return clf.fit(scenes.images, scenes.target % 2)


def weights(clf):
    return torch.cat([p.detach().flatten() for p in clf.module_.parameters()])


def test_gradients_add_up_to_those_of_the_batch():
    whole = fit()
    for size in (1, 3, 10, 99):
        parts = fit(training__micro_batch_size=size)
        torch.testing.assert_close(weights(parts), weights(whole), atol=1e-6, rtol=0)
        np.testing.assert_allclose(
            parts.history_[:, "train_loss"], whole.history_[:, "train_loss"], rtol=1e-5
        )


def test_pieces_are_halved_when_memory_runs_out(monkeypatch):
    seen = []
    losses = SelectiveNet._losses

    def small_memory(self, part):
        seen.append(len(part.batch[1]))
        if seen[-1] > 3:
            raise torch.OutOfMemoryError("out of memory")
        return losses(self, part)

    monkeypatch.setattr(SelectiveNet, "_losses", small_memory)
    with pytest.warns(P2PSelectWarning, match="goes on with micro_batch_size=3") as said:
        clf = fit(max_epochs=1)
    assert [str(w.message)[:33] for w in said] == [
        "out of memory with 10 images at o",
        "out of memory with 5 images at on",
    ]
    assert seen == [10, 5, 3, 3, 2, 2, 3, 3, 2, 2]
    assert np.isfinite(clf.history_[-1, "train_loss"])


def test_one_image_that_does_not_fit_is_an_error(monkeypatch):
    def no_memory(self, part):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(SelectiveNet, "_losses", no_memory)
    with pytest.warns(P2PSelectWarning), pytest.raises(torch.OutOfMemoryError):
        fit(max_epochs=1)
