"""The base of every method, and how a method declares its settings."""

from p2pselect._settings import Options, setting
from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.estimators._options import (
    ClassifierNetworkOptions,
    ImageOptions,
    NetworkOptions,
    SearchOptions,
    WholeImageNetworkOptions,
)

__all__ = [
    "ClassifierNetworkOptions",
    "ImageOptions",
    "NetworkOptions",
    "Options",
    "SearchOptions",
    "SelectiveImageClassifier",
    "WholeImageNetworkOptions",
    "setting",
]
