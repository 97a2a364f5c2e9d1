"""Groups of settings that few people change: of images, networks and the search for tau."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, StrOptions

from p2pselect._answering import FALLBACKS
from p2pselect._fill import FILLS
from p2pselect._settings import Options, setting
from p2pselect.images._meaning import RANGE_WORDS, DisplayChannels

#: More channels than any image has.
MAX_CHANNELS = 4096
#: Side in pixels of the largest grid: anything larger is a slip, and would fill any memory.
MAX_SIDE = 16384


class ImageOptions(Options):
    """What the numbers of images mean: the ``images`` of an estimator.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> ImageOptions(channels="first")
    ImageOptions(channels='first')
    """

    channels: Literal["last", "first"] = setting(
        "Where array-like images have their channel axis.",
        StrOptions({"first", "last"}),
        default="last",
        role="machine",
    )
    image_shape: tuple[int, ...] | None = setting(
        "(h, w, c) of images that are given as flat rows (n, h * w * c).",
        tuple,
        default=None,
        role="machine",
        kind="tuple of int",
    )
    n_channels: int | None = setting(
        "Number of channels that are neither gray, nor RGB, nor RGBA: 2 stains, 5 spectral "
        "bands, or 4 of which none is opacity.  The networks get as many; pretrained weights "
        "of their first layers are adapted as timm does it.",
        Interval(Integral, 1, MAX_CHANNELS, closed="both"),
        default=None,
        role="input",
    )
    value_range: Any = setting(
        "Values that become 0 and 1; what is beyond them is clipped.  With a pair for each "
        'channel, every channel has a range of its own.  ``"dtype"`` is the range of the type '
        'of the pixels, ``"percentiles"`` are the 0.1th and the 99.9th of the values of each '
        "channel in training.  ``value_range_`` has what was found, and prediction uses it.  "
        '``"window"`` is for DICOM images of gray, each of which is seen through the window '
        "that its file states.  None stands for 0 to 255 of uint8, and for 0 to 1 of floats.",
        tuple,
        list,
        StrOptions({*RANGE_WORDS}),
        default=None,
        role="input",
        kind='(low, high), tuple of such pairs, "dtype", "percentiles" or "window"',
    )
    pages: str | int | None = setting(
        "What the pages of TIFF files, or the frames of DICOM images, are: "
        '``"channels"``, or the number of the only one that is used, from 0.',
        StrOptions({"channels"}),
        Interval(Integral, 0, None, closed="left"),
        default=None,
        role="input",
        kind='"channels" or int',
    )
    channel_files: tuple[str, ...] | None = setting(
        "Where every channel has a file of its own: the parts of the file names that tell them "
        'apart, in order.  With ``("_dna", "_actin")``, X lists ``a_dna.tif``, and '
        "``a_actin.tif`` beside it is the second channel.",
        tuple,
        list,
        default=None,
        role="input",
        kind="tuple of str",
    )
    normalization: Literal["pretrained", "measured"] = setting(
        "Mean and standard deviation that networks subtract and divide by: those that their "
        "pretrained weights expect, in turn where there are more than three channels; or those "
        "of each channel over at most 256 training images.",
        StrOptions({"measured", "pretrained"}),
        default="pretrained",
        role="networks",
    )
    display_channels: DisplayChannels | None = setting(
        "Channels that figures and reports show as red, green and blue, or one as gray; or any "
        "of them in a color each, which are added up: "
        '``((0, "cyan"), (1, "magenta"), (2, "gray"))``, where red, green, blue and yellow are '
        "colors, too.  By default the first three, or the first of fewer.",
        tuple,
        default=None,
        role="prediction",
        kind="tuple of one or three int, or of pairs (int, str)",
    )


class NetworkOptions(Options):
    """Details of selector and classifier: the ``networks`` of an estimator.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> NetworkOptions(selector_options={"strides": (4, 16)})
    NetworkOptions(selector_options={'strides': (4, 16)})
    """

    selector_options: dict[str, Any] | None = setting(
        "Details of the selector's network.  Of a timm model: ``strides`` (pair of int, by "
        "default (8, 16) or the nearest that it has), those of its finer and coarser feature "
        "map, where smaller ones suit images of less than 100 pixels; and ``head_channels`` "
        "(128), the width of its head.  "
        'Of the paper\'s network: ``weights``, ``"segmentation"`` (the default) or '
        '``"imagenet"``.',
        dict,
        default=None,
        role="networks",
    )
    classifier_options: dict[str, Any] | None = setting(
        "More arguments for ``timm.create_model``.", dict, default=None, role="networks"
    )
    selector_image_size: int | None = setting(
        "Longer side in pixels of the copy that the selector sees; that of ``image_size`` by "
        "default.  Its maps are coarse anyway: half the side makes its passes about four times "
        "cheaper.",
        Interval(Integral, 1, MAX_SIDE, closed="both"),
        default=None,
        role="networks",
    )
    frozen_share: float | dict[str, float] = setting(
        "Share of each network's layers, from the image on, that keep their (pretrained) "
        "weights.  With 1.0 only the head learns: what comes after the backbone, or the last "
        "layer of a network of your own that has no ``backbone``; all else is in evaluation "
        "mode, without dropout.  See ``training__n_views`` for what this saves.  A dict tells "
        '``"selector"`` and ``"classifier"`` apart.',
        Interval(Real, 0, 1, closed="both"),
        dict,
        default=0.0,
        role="networks",
    )
    fill: Any = setting(
        "What the classifier sees in the place of removed pixels, padding included.  It "
        "follows from the kept pixels and the mask alone, so that nothing removed is ever "
        "seen.\n\n"
        '``"black"`` is the paper.  ``"mean"`` is the mean of each channel over at most 256 '
        "training images, which ``fill_`` has.  A number in [0, 1] is the value of all "
        'channels, a tuple has one for each.  ``"blur"`` is not the blurred image, whose low '
        "frequencies would show what was removed: every pixel is the mean of the kept ones "
        "around it (a Gaussian with a standard deviation of a sixteenth of the longer side), "
        'and where there are none, that of all kept ones.  ``"noise"`` is uniform in [0, 1), '
        "a value of its own for each pixel and channel; its seed is a hash of what is kept, so "
        "that the same picture always gets the same noise.\n\n"
        '``"drop"`` is for vision transformers: patches that are black, because nothing of '
        "them is kept or because the image is black there, never enter the network, in "
        "training and in prediction.  The less is kept, the less time they take.  A continuous "
        "mask of training is the weight of a patch in the attention.  Methods whose classifier "
        "learns from continuous masks alone refuse it.",
        StrOptions({*FILLS}),
        Interval(Real, 0, 1, closed="both"),
        tuple,
        list,
        default="black",
        role="networks",
        kind='{"black", "mean", "blur", "noise", "drop"}, float or tuple of float in [0, 1]',
    )


class ClassifierNetworkOptions(
    NetworkOptions, without=("selector_options", "selector_image_size")
):
    """Details of the classifier: the ``networks`` of an estimator without a selector.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> ClassifierNetworkOptions(frozen_share=0.5)
    ClassifierNetworkOptions(frozen_share=0.5)
    """


class WholeImageNetworkOptions(ClassifierNetworkOptions, without=("fill",)):
    """Details of the classifier of a method that removes nothing: its ``networks``.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> WholeImageNetworkOptions(frozen_share=1.0)
    WholeImageNetworkOptions(frozen_share=1.0)
    """


class SearchOptions(Options):
    """The values of tau that are tried: the ``search`` of an estimator.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> SearchOptions(tau_step=0.1)
    SearchOptions(tau_step=0.1)
    """

    tau_min: float = setting(
        "Start of the search.  Where training draws tau, it is the lower end of that too.",
        Interval(Real, 0, 1, closed="neither"),
        default=0.05,
    )
    tau_step: float = setting(
        "Step of the search; tau = 1 is always tried last.",
        Interval(Real, 0.001, 1, closed="left"),
        default=0.05,
        role="prediction",
    )
    calibration: str | None = setting(
        '``"held_out"``: ``fit`` calibrates certainty with the images that ``validation`` '
        "holds out, as ``calibrate`` does with any others.  None: certainty is what the "
        "classifier says, as in the paper.",
        StrOptions({"held_out"}),
        None,
        default=None,
    )
    mean_kept: float | None = setting(
        'With ``calibration="held_out"``: stop at the highest certainty with which images show '
        "no more than this share of their pixels on average, instead of at "
        "``certainty_threshold``.",
        Interval(Real, 0, 1, closed="right"),
        default=None,
    )
    allow_empty: bool = setting(
        "Allow masks without any region, as the released code does.  By default the most "
        "probable region is always kept, even where it alone is larger than the budget: a "
        "classifier can be certain about a black image.",
        "boolean",
        default=False,
        role="prediction",
    )
    fallback: str = setting(
        "What an image shows that is not answered, because the classifier never becomes "
        'certain enough.  ``"most_certain"`` is the mask of which it was most certain among '
        "those that were tried, the smallest among equals (of several labels: all in all, not "
        'of the least certain one); ``"settled"`` is the smallest mask '
        "from which on, up to the most certain one, the answer stays the same: it predicts the "
        "same with fewer pixels and less certainty, but asking for more certainty no longer "
        "shows more.  The prediction comes from what is shown, but which mask that is was "
        "decided by larger ones, too.  "
        '``"everything"`` is the paper: tau = 1, which keeps a large part of the pixels where '
        "few images are answered, and is seldom right more often; that is why it is not the "
        "default.",
        StrOptions(set(FALLBACKS)),
        default="most_certain",
        role="prediction",
    )
