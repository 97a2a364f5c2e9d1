"""What counts as an image input: layouts, value ranges, files, decoding and resizing."""

from p2pselect.images._accept import as_images
from p2pselect.images._sequence import ImageSequence

__all__ = ["ImageSequence", "as_images"]
