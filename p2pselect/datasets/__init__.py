"""Images to learn from: generated, from folders, with object masks where there are any."""

from p2pselect.datasets.digit_scenes import make_digit_scenes
from p2pselect.datasets.image_folder import load_image_folder, load_mask_folder
from p2pselect.datasets.labelled_scenes import load_emoji_scenes
from p2pselect.datasets.table import DATASETS, Dataset

__all__ = [
    "DATASETS",
    "Dataset",
    "load_emoji_scenes",
    "load_image_folder",
    "load_mask_folder",
    "make_digit_scenes",
]
