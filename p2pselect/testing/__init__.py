"""Checks for the image classifiers of this package, and for yours."""

from p2pselect.testing._check_images import make_check_images
from p2pselect.testing._contract import check_image_classifier, image_classifier_checks
from p2pselect.testing._faithfulness import record_selection, replay_selection

__all__ = [
    "check_image_classifier",
    "image_classifier_checks",
    "make_check_images",
    "record_selection",
    "replay_selection",
]
