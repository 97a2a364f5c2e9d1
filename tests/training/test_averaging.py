import torch
from skorch.callbacks import Callback

from p2pselect import P2PClassifier, datasets, presets


class Watch(Callback):
    """Keeps the weights after every step."""

    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.seen.append({n: p.detach().clone() for n, p in net.module_.named_parameters()})


def fit(**changes):
    scenes = datasets.make_digit_scenes(40, image_size=32, random_state=0)
    watch = Watch()
    settings = {**presets.SMALL, "image_size": 32, "regions": "grid", "max_epochs": 3}
    clf = P2PClassifier().set_params(
        **settings, random_state=0, training__callbacks=[watch], **changes
    )
    return clf.fit(scenes.images, scenes.target % 2), watch.seen


def test_the_mean_of_the_weights_predicts():
    clf, seen = fit(training__ema_decay=0.8)
    mean = seen[0]
    for weights in seen[1:]:
        mean = {name: 0.8 * mean[name] + 0.2 * weights[name] for name in mean}
    for name, value in clf.module_.named_parameters():
        torch.testing.assert_close(value.detach(), mean[name], atol=1e-6, rtol=1e-5)


def test_training_itself_does_not_change():
    averaged, seen = fit(training__ema_decay=0.8)
    plain, also_seen = fit()
    assert averaged.history_[:, "train_loss"] == plain.history_[:, "train_loss"]
    for weights, same in zip(seen, also_seen, strict=True):
        assert all(torch.equal(weights[name], same[name]) for name in weights)


def test_without_a_step_there_is_no_mean():
    scenes = datasets.make_digit_scenes(10, image_size=32, random_state=0)
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 0, "random_state": 0}
    y = scenes.target % 2
    y[:2] = [0, 1]
    plain = P2PClassifier().set_params(**settings).fit(scenes.images, y)
    averaged = (
        P2PClassifier().set_params(**settings, training__ema_decay=0.5).fit(scenes.images, y)
    )
    for first, second in zip(
        plain.module_.parameters(), averaged.module_.parameters(), strict=True
    ):
        assert torch.equal(first, second)
