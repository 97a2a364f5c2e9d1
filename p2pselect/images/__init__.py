"""What counts as an image: layouts, value ranges, files, decoding and resizing."""

from p2pselect.images._accept import as_images
from p2pselect.images._sequence import ImageSequence
from p2pselect.images._source_protocol import EncodedImageSource, ImageSource

__all__ = ["EncodedImageSource", "ImageSequence", "ImageSource", "as_images"]
