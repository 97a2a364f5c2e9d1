"""Every method on photographs of several shapes: padding is never kept and never matters."""

import numpy as np
import pytest

from p2pselect.methods import METHODS
from p2pselect.presets import settings_for
from p2pselect.testing import record_selection, replay_selection

#: Of methods that would take long.
FAST = {"diet": {"n_stages": 1, "max_steps": 3, "cell_size": 8}}
SHAPES = [(24, 48), (48, 24), (32, 32), (20, 30)]


@pytest.fixture(scope="module")
def photographs():
    rng = np.random.default_rng(0)
    return [rng.integers(1, 256, (*SHAPES[i % 4], 3), np.uint8) for i in range(8)]


@pytest.mark.parametrize("name", METHODS)
def test_padding(name, make, photographs):
    method = METHODS[name].cls
    asked = {"max_epochs": 1, "tau": 0.4, "batch_size": 3, "augment": None}
    clf = make(method, **settings_for(method, {**asked, **FAST.get(name, {})}))
    clf.fit(photographs, np.arange(8) % 2)
    with record_selection(clf) as scores:
        exp = clf.explain(photographs)
    padding = exp.regions < 0
    assert exp.n_pixels.tolist() == [512, 512, 1024, 32 * 21] * 2
    assert padding[[0, 1, 3]].any() and not padding[2].any()
    assert not exp.pixel_masks[padding].any() and not exp.images[padding].any()
    assert (exp.region_areas.sum(axis=1) == exp.n_pixels).all()
    np.testing.assert_array_equal(clf.transform(photographs), exp.pixel_masks)
    np.testing.assert_allclose(clf.predict_proba(photographs), exp.proba, atol=1e-6)
    # Alone, an image is what it is among others.
    alone = clf.explain(photographs[3:4])
    np.testing.assert_array_equal(alone.regions[0], exp.regions[3])
    np.testing.assert_allclose(alone.proba[0], exp.proba[3], atol=1e-5)
    for mask, photograph, share in zip(
        exp.masks_at_original_size(), photographs, exp.kept_fraction, strict=True
    ):
        assert mask.shape == photograph.shape[:2]
        if exp.soft_region_masks is None:
            assert mask.mean() == pytest.approx(share, abs=0.06)
    # Whatever is done to pixels that are in no region before they are given, nothing changes.
    loud = np.where(padding[..., None], 255, exp.images)
    with replay_selection(clf, scores):
        again = clf.explain(loud, regions=exp.regions)
    np.testing.assert_array_equal(again.proba, exp.proba)
    np.testing.assert_array_equal(again.images, exp.images)
