"""Data sets: folders and tables of images, masks, tar files, sets of the paper, made scenes."""

from p2pselect.datasets._bam import load_bam
from p2pselect.datasets._cifar10 import load_cifar10
from p2pselect.datasets._coco10 import COCO10_CLASSES, load_coco10, max_min_classes
from p2pselect.datasets._corrections import (
    Correction,
    correction_masks,
    read_corrections,
    write_corrections,
)
from p2pselect.datasets._digit_scenes import make_digit_scenes
from p2pselect.datasets._emoji_scenes import load_emoji_scenes
from p2pselect.datasets._image_folder import load_image_folder
from p2pselect.datasets._image_table import load_image_table
from p2pselect.datasets._imagenet import load_imagenet
from p2pselect.datasets._imagenet9 import load_imagenet9
from p2pselect.datasets._mask_folder import load_mask_folder
from p2pselect.datasets._masks import MaskSequence
from p2pselect.datasets._named import DATASETS, Dataset, table_dataset
from p2pselect.datasets._tar_shards import load_tar_shards

__all__ = [
    "COCO10_CLASSES",
    "DATASETS",
    "Correction",
    "Dataset",
    "MaskSequence",
    "correction_masks",
    "load_bam",
    "load_cifar10",
    "load_coco10",
    "load_emoji_scenes",
    "load_image_folder",
    "load_image_table",
    "load_imagenet",
    "load_imagenet9",
    "load_mask_folder",
    "load_tar_shards",
    "make_digit_scenes",
    "max_min_classes",
    "read_corrections",
    "table_dataset",
    "write_corrections",
]
