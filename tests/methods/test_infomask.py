"""InfoMask: the bottleneck's terms and the range of its masks."""

import numpy as np
import pytest
import torch
from oracles.baselines import kl_normal

from p2pselect.methods import InfoMaskClassifier
from p2pselect.methods._infomask import (
    InfoMaskObjective,
    kl_to_standard_normal,
    semi_hard_mask,
)
from p2pselect.metrics import localization_score, random_localization


def test_divergence_is_zero_at_the_prior_and_as_integrated_elsewhere():
    assert kl_to_standard_normal(torch.zeros(1), torch.zeros(1)).item() == 0
    for mean, log_variance in ((1.0, 0.0), (-0.5, 1.2), (2.0, -3.0)):
        found = kl_to_standard_normal(torch.tensor(mean), torch.tensor(log_variance))
        assert found.item() == pytest.approx(
            kl_normal(mean, torch.tensor(log_variance).exp().item()), rel=1e-4
        )


def test_masks_are_zero_or_up_to_one_less_the_threshold():
    values = semi_hard_mask(torch.linspace(-20, 20, 1001), 0.2)
    assert values.min() == 0 and values.max() == pytest.approx(0.8)
    assert (values[values > 0] < 0.8 + 1e-6).all()
    # The collapsed posterior: 8.3 % zeros and a mean of .305.
    torch.manual_seed(0)
    noise = semi_hard_mask(torch.randn(1_000_000), 0.2)
    assert (noise == 0).float().mean() == pytest.approx(0.083, abs=2e-3)
    assert noise.mean() == pytest.approx(0.305, abs=2e-3)


def test_sum_and_mean_over_regions(toy_step):
    terms = {r: InfoMaskObjective(0.5, 0.2, r)(toy_step(n_maps=2)) for r in ("sum", "mean")}
    torch.testing.assert_close(terms["sum"]["kl"], 16 * terms["mean"]["kl"])
    assert "area" not in terms["sum"]
    assert "area" in InfoMaskObjective(0.5, 0.2, "sum", tau=0.2)(toy_step(n_maps=2))


def test_everything_learns(toy_step):
    step = toy_step(n_maps=2)
    sum(value.sum() for value in InfoMaskObjective(0.5, 0.2, "sum")(step).values()).backward()
    assert all(p.grad.abs().sum() > 0 for p in step.model.parameters())


def test_shown_mask_is_that_of_the_mean_without_noise(make, X, y):
    exp = make(InfoMaskClassifier, regions="pixel", noise=False).fit(X, y).explain(X)
    wanted = semi_hard_mask(torch.tensor(exp.selection_logits), 0.2)
    torch.testing.assert_close(torch.tensor(exp.soft_region_masks), wanted, atol=1e-4, rtol=0)
    assert exp.region_embeddings is None


def test_noise_is_that_of_the_posterior_and_the_same_for_every_image(make, X, y):
    clf = make(InfoMaskClassifier, regions="pixel").fit(X, y)
    noisy = clf.explain(X)
    alone = clf.explain(X[3:5])
    assert abs(noisy.proba[3:5] - alone.proba).max() < 1e-5
    assert (noisy.pixel_masks[3:5] == alone.pixel_masks).mean() > 0.999
    # Without a threshold the mask that is shown tells the z that was drawn.
    shown = torch.tensor(clf.set_params(threshold=0.0).explain(X).soft_region_masks)
    drawn = torch.logit(shown.double()).numpy() - noisy.selection_logits
    clf.set_params(threshold=0.2)
    images = torch.tensor(X).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        regions = torch.arange(32 * 32).view(1, 32, 32).expand(len(X), 32, 32)
        deviation = (clf.module_.score(images, regions).maps[:, 1] / 2).exp().numpy()
    noise = drawn / deviation
    assert abs(noise - noise[0]).max() < 1e-3
    # Of a standard normal distribution, 1024 times.
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.07
    clf.set_params(noise=True, mask="hard", tau=0.25)
    hard = clf.explain(X)
    assert (hard.kept_fraction == 0.25).all()
    assert (hard.pixel_masks == clf.set_params(mask="soft").explain(X).pixel_masks).all()


def test_regions_are_ranked_by_the_mean_whatever_is_shown(make, X, y):
    clf = make(InfoMaskClassifier, regions="pixel", tau=0.1).fit(X, y)
    noisy, still = clf.explain(X), clf.set_params(noise=False).explain(X)
    assert abs(noisy.soft_region_masks - still.soft_region_masks).max() > 0.1
    np.testing.assert_array_equal(noisy.ranking, still.ranking)
    np.testing.assert_array_equal(noisy.pixel_masks, still.pixel_masks)
    np.testing.assert_array_equal(noisy.heat_maps, still.heat_maps)
    clf.set_params(noise=True, mask="hard")
    np.testing.assert_array_equal(clf.explain(X).ranking, still.ranking)
    seen = torch.from_numpy(still.images).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        scores = clf.module_.score(seen, torch.from_numpy(still.regions).long())
    # Equal up to what breaks ties.
    np.testing.assert_allclose(still.selection_logits, scores.maps[:, 0], atol=1e-4)


def test_a_posterior_without_any_mean_localizes_as_a_random_mask_does(make, X, y, scenes):
    clf = make(InfoMaskClassifier, regions="pixel", max_epochs=0, tau=0.2).fit(X, y)
    with torch.no_grad():  # what a summed divergence comes to
        for parameter in clf.module_.selector.parameters():
            parameter.zero_()
    found = localization_score(clf.transform(X), scenes.masks)
    assert found == pytest.approx(random_localization(scenes.masks), abs=0.03)
