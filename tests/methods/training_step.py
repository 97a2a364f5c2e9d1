"""One step of training of a tiny estimator at any point of a phase, and its twin in doubles."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from skorch.history import History
from torch import nn

from p2pselect import presets
from p2pselect.training._phases import Step, set_training

SIDE, N_CLASSES, EPOCHS = 8, 3, 10
PROGRESS = (0.0, 0.05, 0.3, 0.5, 0.9, 1.0)
_STEPS_PER_EPOCH = 20


def tiny_selector(n_maps):
    return nn.Conv2d(3, n_maps, 1)


def tiny_classifier(n_classes):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(3 * SIDE**2, 5), nn.Tanh(), nn.Linear(5, n_classes)
    )


def make_batch(n=4):
    """Images, regions of unequal size and number, labels, and unequal sample weights."""
    generator = torch.Generator().manual_seed(11)
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    layouts = [
        (rows >= 5) * 2 + (columns >= 3),
        rows // 3,
        (rows // 4) * 3 + (columns + 1) // 3 - (columns == 7).long(),
        torch.zeros_like(rows),
    ]
    regions = torch.stack([layouts[i % 4] for i in range(n)]).long()
    # Regions of different colors, or else their scores would all be the same.
    colors = torch.rand(n, 12, 3, generator=generator)
    images = torch.stack([colors[i][regions[i]] for i in range(n)])
    noise = torch.rand(images.shape, generator=generator)
    inputs = {
        "images": 0.8 * images + 0.2 * noise,
        "regions": regions,
        "weight": torch.tensor([1.0, 0.25, 2.0, 0.5])[torch.arange(n) % 4],
        "index": torch.arange(n),
        "batch_size": torch.full((n,), n),
    }
    return inputs, torch.tensor([2, 0, 1, 0])[torch.arange(n) % 4]


N_IMAGES, N_REGIONS = len(make_batch()[1]), int(make_batch()[0]["regions"].max()) + 1


@dataclass
class TrainingStep:
    """What a step did.

    Attributes
    ----------
    loss : float
    gradients : dict of str to Tensor
        Those of all parameters that got one.
    """

    loss: float
    gradients: dict[str, Any]


class Trainee:
    """An estimator with networks of a few weights, ready for any phase of its training.

    Parameters
    ----------
    method : type
    **settings
        Beside those that make it tiny.
    """

    def __init__(self, method, **settings):
        tiny = {
            "selector": tiny_selector,
            "classifier": tiny_classifier,
            "image_size": SIDE,
            "max_epochs": 0,
            "augment": None,
            "random_state": 3,
            "device": "cpu",
        }
        self.clf = method().set_params(**{**presets.settings_for(method, tiny), **settings})
        inputs, target = self.batch = make_batch()
        y = torch.arange(N_CLASSES).repeat(2)[: len(target)].numpy()
        images, regions = inputs["images"].numpy(), inputs["regions"].numpy()
        self.clf.fit(images, y, regions=regions)
        self.clf.set_params(max_epochs=EPOCHS)
        self.module = self.clf.module_
        self.net = self.clf.net_
        self._spread_weights()

    def _spread_weights(self):
        # Small weights would hide differences behind almost equal masks and logits.
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                if parameter.dim():
                    scale = 3.0 if name.startswith("selector") else 0.4
                    parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
            for module in self.module.modules():
                # Scores on both sides of 0: colors are .5 on average.
                if isinstance(module, nn.Conv2d) and module.bias is not None:
                    module.bias.sub_(module.bias + 0.5 * module.weight.sum(dim=(1, 2, 3)))

    def step(self, phase=0, progress=0.0, seed=7, phases=None):
        """Loss and gradients, with the random numbers of a seed."""
        phases = phases or self.clf._phases()
        self.net.phases = phases
        chosen = phases[phase]
        done = progress * chosen.epochs
        epoch = min(int(done + 1e-9), chosen.epochs - 1)
        self.net.history = History()
        for _ in range(sum(p.epochs for p in phases[:phase]) + epoch + 1):
            self.net.history.new_epoch()
        self.net._n_batches = _STEPS_PER_EPOCH
        self.net._batches_done = round((done - epoch) * _STEPS_PER_EPOCH)
        set_training(self.module, chosen)
        self.module.zero_grad(set_to_none=True)
        self.net.epoch_seed = seed
        result = self.net.train_step_single(self.batch)
        gradients = {
            name: parameter.grad.clone()
            for name, parameter in self.module.named_parameters()
            if parameter.grad is not None
        }
        return TrainingStep(result["loss"].item(), gradients)

    def twin(self):
        """The same modules in double precision, for plain torch to compute with."""
        return copy.deepcopy(self.module).double().requires_grad_(True)

    def images(self):
        """Image (3, h, w), regions, label and share of the weighted mean, one by one."""
        inputs, target = self.batch
        n = len(target)
        for i in range(n):
            image = inputs["images"][i].permute(2, 0, 1).double()
            weight = inputs["weight"][i].item() / n
            yield i, image, inputs["regions"][i], int(target[i]), weight


def network(module):
    """What a plain network inside a module maps one image to, without the batch axis."""
    plain = module.network
    return lambda image: plain(image[None])[0]


def assert_same(step, losses, twin):
    """Value and gradients of a step are those of an oracle.

    ``losses`` tells what every sub-module learns from; the key "" holds for all that have no
    loss of their own, and one that several learn from counts once.  What is not named does not
    learn.
    """
    total = sum({id(loss): loss.item() for loss in losses.values()}.values())
    torch.testing.assert_close(
        torch.tensor(step.loss), torch.tensor(total), rtol=1e-4, atol=1e-5
    )
    learned = set()
    for module, loss in losses.items():
        own = {
            name: parameter
            for name, parameter in twin.named_parameters()
            if name.startswith(f"{module}.") or not module
        }
        wanted = torch.autograd.grad(loss, own.values(), retain_graph=True, allow_unused=True)
        for (name, _), gradient in zip(own.items(), wanted, strict=True):
            if gradient is None or not gradient.any():
                assert not step.gradients.get(name, torch.zeros(())).any(), name
                continue
            assert name in step.gradients, f"{name} does not learn"
            scale = gradient.abs().max().item()
            torch.testing.assert_close(
                step.gradients[name].double(),
                gradient,
                rtol=1e-3,
                atol=1e-4 * scale + 5e-7,  # some are 0 but for rounding
                msg=lambda message, name=name: f"gradient of {name}: {message}",
            )
            learned.add(name)
    others = set(step.gradients) - learned
    assert not any(step.gradients[name].any() for name in others), others
    return learned


def drawn_again():
    """A step that draws the random numbers of a trainee's step, from the first one on."""
    return Step(None, None, None, None, torch.arange(N_IMAGES), 0.0, seed=7)


_drawing = [drawn_again()]


def uniform(*shape, seed=False):
    if seed:
        _drawing[0] = drawn_again()
    return _drawing[0].rand_like(torch.empty(shape)).double().clamp(1e-6, 1 - 1e-6)


def total(own, loss_of):
    """The weighted mean over the images of what ``loss_of`` says of each."""
    return sum(weight * loss_of(i, *image) for i, *image, weight in own.images())


def modules(own):
    """Twin, and what its selector, classifier and third network make of one image."""
    twin = own.twin()
    found = [twin]
    for name in ("selector", "classifier", "blackbox", "baseline"):
        part = getattr(twin, name, None)
        if part is not None and hasattr(part, "network"):
            found.append(network(part))
    return found
