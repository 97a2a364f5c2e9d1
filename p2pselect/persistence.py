"""Saved models by their folder: which class they are of is found in the table of methods."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pselect._model_card import facts
from p2pselect._model_folder import CONFIG, read_config, readable
from p2pselect.exceptions import ModelFileError, brief

if TYPE_CHECKING:
    from p2pselect.estimators._base import SelectiveImageClassifier

__all__ = ["describe", "load"]


def load(path: str | os.PathLike[str]) -> SelectiveImageClassifier:
    """Read a model that ``estimator.save(path)`` wrote.

    Loading never unpickles and never imports a name that the file gives: the class is one of
    the library's methods.  A method of your own reads its models itself:
    ``MyClassifier.load(path)``.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Returns
    -------
    SelectiveImageClassifier
        The fitted estimator.  It is on its ``device`` if this exists here, otherwise on the one
        that ``"auto"`` finds.  ``pretrained`` and ``training__compile`` take effect from the
        next ``fit``.

    Raises
    ------
    ModelFileError
        If the folder is missing, damaged, of another format, or not of one of the library's
        methods.

    Examples
    --------
    >>> load("digits.model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    p2pselect.exceptions.ModelFileError: digits.model is not a saved model: ...
    """
    # Imported here, so that `describe` loads neither torch nor scikit-learn.
    from p2pselect.estimators._saving import load_model
    from p2pselect.methods import METHODS

    path = Path(path)
    with readable(path):
        config = read_config(path)
        name = config["class"]
        classes = {method.cls.__name__: method.cls for method in METHODS.values()}
        if name not in classes:
            raise ModelFileError(
                f"{path / CONFIG}: class must be one of {sorted(classes)}, got {brief(name)}; "
                "a model of your own class is read by its own load: MyClassifier.load(path)"
            )
        return load_model(classes[name], path, config)


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a saved model without building its networks: the facts of its model card.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Returns
    -------
    dict
        ``class``, ``classes`` (str), ``images`` (how many of each class were ``trained`` on and
        ``held_out`` by the last training), ``image_size`` (int, or height and width),
        ``resize``, ``channels`` (how many the networks see), ``value_range`` (None, or the
        pairs of values that become 0 and 1), ``normalization``, ``regions``, ``tau``,
        ``certainty_threshold``, ``parameters`` (how many each network has), ``held_out`` (None,
        or the scores of the held-out images), ``calibration`` (None, or what ``calibrate`` was
        asked for), ``audit`` (None, or what ``save`` was given), and the ``date`` and
        ``versions`` of when it was saved.

    Raises
    ------
    ModelFileError
        If the folder is missing, damaged or of another format.

    Examples
    --------
    >>> describe("digits.model")["image_size"]  # doctest: +SKIP
    64
    """
    path = Path(path)
    with readable(path):
        return facts(read_config(path))
