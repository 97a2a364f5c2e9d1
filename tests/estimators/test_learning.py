"""Learning is tested by learning: a small real training that has to find the digits."""

import numpy as np
import pytest

from p2pselect import P2PClassifier, datasets, metrics, presets


@pytest.mark.slow
def test_learns_to_read_digits_from_the_regions_that_hold_them():
    train = datasets.make_digit_scenes(600, image_size=48, random_state=0)
    test = datasets.make_digit_scenes(200, image_size=48, split="test", random_state=1)
    # Two classes that differ in shape; chance is .5.
    rows, held_out = (np.isin(part.target, [0, 1, 4, 7]) for part in (train, test))
    settings = {**presets.SMALL, "image_size": 48, "random_state": 0}
    clf = P2PClassifier(**settings).fit(train.images[rows], train.target[rows])
    exp = clf.explain(test.images[held_out])
    accuracy = np.mean(exp.predicted == test.target[held_out])
    masks = test.masks[held_out]
    found = metrics.localization_score(exp.pixel_masks, masks)
    assert accuracy >= 0.7
    assert found >= 2 * metrics.random_localization(masks)
    assert exp.kept_fraction.mean() <= 0.5
