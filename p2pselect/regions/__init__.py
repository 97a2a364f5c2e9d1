"""Region proposal: images to label maps."""

from typing import TYPE_CHECKING

from p2pselect._lazy import lazy_names
from p2pselect.regions._engines import RegionEngine, masks_to_labels
from p2pselect.regions._images_with_regions import ImagesWithRegions
from p2pselect.regions._labels import (
    check_label_maps,
    crop_labels,
    flip_labels,
    n_regions,
    region_areas,
    relabel,
)

if TYPE_CHECKING:
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

# Lazy, because the transformer needs scikit-learn, and running an exported model does not.
__getattr__, __dir__ = lazy_names(
    globals(), {"SuperpixelTransformer": "p2pselect.regions._transformer"}
)
