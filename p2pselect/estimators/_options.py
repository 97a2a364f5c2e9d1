"""Groups of settings that few people change: of images, networks and the search for tau."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, StrOptions

from p2pselect._settings import Options, setting

#: Side in pixels of the largest grid: anything larger is a slip, and would fill any memory.
MAX_SIDE = 16384


class ImageOptions(Options):
    """How images lie in memory that come as arrays: the ``images`` of an estimator.

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
        "What an image shows of which the classifier never becomes certain.  "
        '``"most_certain"`` is the mask of which it was most certain among those that were '
        "tried, the smallest among equals; the answer comes from what it shows, but which mask "
        'that is was decided by larger ones, too.  ``"everything"`` is the paper: tau = 1, '
        "which keeps a large part of the pixels where many images stay uncertain, and seldom "
        "answers better.",
        StrOptions({"everything", "most_certain"}),
        default="most_certain",
        role="prediction",
    )
