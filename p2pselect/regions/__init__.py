"""Region proposal: images to label maps."""

from p2pselect.regions.container import ImagesWithRegions
from p2pselect.regions.engines import masks_to_labels
from p2pselect.regions.labels import (
    check_label_maps,
    crop_labels,
    flip_labels,
    n_regions,
    region_areas,
    relabel,
)
from p2pselect.regions.transformer import SuperpixelTransformer

__all__ = [
    "ImagesWithRegions",
    "SuperpixelTransformer",
    "check_label_maps",
    "crop_labels",
    "flip_labels",
    "masks_to_labels",
    "n_regions",
    "region_areas",
    "relabel",
]
