"""A label that no single region tells: whether the choice of a region can tell it instead."""

import pytest
from two_patches import SETTINGS, two_patches

from p2pselect import P2PClassifier


def answers_from_one_region(**objective):
    """Accuracy and certainty on new images, of each of which one region is shown."""
    clf = P2PClassifier(**SETTINGS, tau=0.07, selection="budget", max_epochs=15)
    clf.set_params(training__lr_schedule="onecycle", **objective)
    exp = clf.fit(*two_patches(512, seed=0)).explain(two_patches(400, seed=1)[0])
    assert (exp.region_masks.sum(axis=1) == 1).all()
    right = exp.predicted == two_patches(400, seed=1)[1]
    return right.mean(), exp.certainty


def test_the_released_objective_hides_the_label_in_the_mask():
    accuracy, certainty = answers_from_one_region(objective__random_share=0.0)
    assert accuracy > 0.95 and certainty.mean() > 0.8


@pytest.mark.parametrize("learns_from", ["all", "random"])
def test_random_masks_keep_the_classifier_from_reading_the_mask(learns_from):
    _, certainty = answers_from_one_region(
        objective__random_share=0.5, objective__classifier_learns_from=learns_from
    )
    assert certainty.mean() < 0.75 and certainty.max() < 0.9
