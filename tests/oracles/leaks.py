"""Three ways in which removed pixels get through a mask, to be planted where masks are applied.

Each stands in for ``apply_mask(images, pixel_masks, fill)``: images (n, 3, h, w), masks
(n, h, w) in [0, 1], 1 = kept.
"""

FAINT = 1e-6


def everything(images, pixel_masks, fill):
    return images


def a_faint_copy(images, pixel_masks, fill):
    kept = pixel_masks[:, None].to(images.dtype)
    return kept * images + FAINT * (1 - kept) * images


def the_mean_color(images, pixel_masks, fill):
    kept = pixel_masks[:, None].to(images.dtype)
    removed = 1 - kept
    total = (removed * images).sum(dim=(2, 3), keepdim=True)
    mean = total / removed.sum(dim=(2, 3), keepdim=True).clamp(min=1e-9)
    return kept * images + removed * mean


LEAKS = {leak.__name__: leak for leak in (everything, a_faint_copy, the_mean_color)}
