"""Region proposal: images to label maps."""

from p2pselect.regions._container import ImagesWithRegions
from p2pselect.regions._engines import RegionEngine, masks_to_labels
from p2pselect.regions._labels import (
    check_label_maps,
    crop_labels,
    flip_labels,
    n_regions,
    region_areas,
    relabel,
)
from p2pselect.regions._transformer import SuperpixelTransformer

__all__ = [
    "ImagesWithRegions",
    "RegionEngine",
    "SuperpixelTransformer",
    "check_label_maps",
    "crop_labels",
    "flip_labels",
    "masks_to_labels",
    "n_regions",
    "region_areas",
    "relabel",
]
