"""Labels: what counts as one, when two are the same, and which class each belongs to."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from p2pselect.exceptions import InputError, brief

#: Whether a label is there; a set, because missing values of pandas have no truth.
_BITS = frozenset((0, 1))


def read_labels(y: Any, name: str = "y") -> tuple[np.ndarray, np.ndarray | None]:
    """Labels of either kind: (n,), or an indicator matrix (n, n_labels), int64.

    Also returns the names of the columns of a data frame, if there are several.
    """
    return as_indicator(y, name) or (as_labels(y, name), None)


def as_labels(y: Any, name: str = "y") -> np.ndarray:
    """Bring labels into one array (n,) of dtype bool, int, uint, float or str.

    ``y`` may be a list, an array, a torch tensor, or a pandas column of any type: nullable,
    categorical, object.  ``name`` is what messages call it.

    Raises
    ------
    InputError
        If a label is missing (None, NaN, NaT, pandas.NA) or is something else, if strings and
        numbers are mixed, or if there are several labels per image.

    Examples
    --------
    >>> as_labels(["cat", "dog", "cat"])
    array(['cat', 'dog', 'cat'], dtype='<U3')
    """
    array = _one_dimension(y, name)
    if array.dtype.kind in "biuU":
        return array
    if array.dtype.kind == "f":
        _refuse_missing(np.isnan(array), array, name)
        return array
    values = array.tolist() if array.dtype.kind == "O" else list(array)
    values = [_plain(value) for value in values]
    _refuse_missing(np.array([_is_missing(value) for value in values]), array, name)
    is_text = np.array([isinstance(value, str) for value in values])
    for place, value in enumerate(values):
        if not isinstance(value, (str, bool, Real)):
            raise InputError(
                f"{name} must hold numbers, booleans or strings; {name}[{place}] is a "
                f"{type(value).__name__}: {brief(value)}"
            )
    if is_text.any() and not is_text.all():
        text, number = int(is_text.argmax()), int(is_text.argmin())
        raise InputError(
            f"{name} mixes strings and numbers: {name}[{text}] is {brief(values[text])}, "
            f"{name}[{number}] is {brief(values[number])}"
        )
    # Not the values themselves: members of a string enumeration print their name.
    return np.array([str.__str__(value) for value in values] if is_text.any() else values)


def as_indicator(y: Any, name: str = "y") -> tuple[np.ndarray, np.ndarray | None] | None:
    """Bring an indicator matrix into an array (n, n_labels) of 0 and 1, int64.

    Also returns the names of the columns of a data frame, and None where there are none.  What
    is not a matrix of at least two columns is not one of labels either: the result is None.

    Raises
    ------
    InputError
        If a matrix holds anything but 0 and 1, or if there is a list of labels for each image.

    Examples
    --------
    >>> as_indicator([[0, 1], [1, 1]])[0].shape
    (2, 2)
    """
    columns = getattr(y, "columns", None)
    if hasattr(y, "toarray"):  # a sparse matrix
        y = y.toarray()
    elif hasattr(y, "detach"):
        y = y.detach().cpu().numpy()
    elif hasattr(y, "to_numpy"):
        y = y.to_numpy()
    if getattr(y, "ndim", 0) == 1 and any(isinstance(row, list | tuple | set) for row in y[:1]):
        y = y.tolist()
    if isinstance(y, list | tuple):
        rows = [isinstance(row, list | tuple | set) or np.ndim(row) == 1 for row in y]
        lengths = {len(row) for row in y} if rows and all(rows) else {1}
        if lengths == {1}:
            return None
        if len(lengths) > 1 or any(isinstance(value, str) for value in y[0]):
            raise InputError(
                f"{name} has a list of labels for each image: turn it into a matrix of 0 and 1 "
                "by sklearn.preprocessing.MultiLabelBinarizer().fit_transform"
            )
        y = [[_plain(value) for value in row] for row in y]
    array = np.asarray(y)
    if array.ndim != 2 or array.shape[1] < 2:
        return None
    # Value by value, because missing ones of pandas cannot be compared.
    fault = np.array([[_plain(v) not in _BITS for v in row] for row in array.tolist()])
    if fault.any():
        row, column = np.argwhere(fault)[0].tolist()
        raise InputError(
            f"{name} must have one label per image, or a matrix of 0 and 1 with a column for "
            f"each label; got shape {array.shape}, and {name}[{row}, {column}] is "
            f"{brief(_plain(array[row, column]))}"
        )
    if columns is None or not all(isinstance(column, str) for column in columns):
        return array.astype(np.int64), None
    named = np.array([*columns])
    if len(set(named.tolist())) < len(named):
        raise InputError(f"{name} has several columns of one name: {_first_few(named)}")
    return array.astype(np.int64), named


def find_classes(labels: np.ndarray, name: str = "y") -> np.ndarray:
    """The classes of labels that :func:`as_labels` made, sorted.

    Raises
    ------
    InputError
        If there are fewer than two classes, or if two of them look the same: they differ only
        in blanks at their ends, or in how an accent is encoded.
    ValueError
        If the labels are continuous numbers (scikit-learn's message).

    Examples
    --------
    >>> find_classes(np.array(["dog", "cat", "dog"]))
    array(['cat', 'dog'], dtype='<U3')
    """
    check_classification_targets(labels)
    classes = np.unique(labels)
    if len(classes) < 2:
        one = f"one class only: {brief(classes[0].item())}" if len(classes) else "no label"
        raise InputError(f"{name} must have at least two classes to tell apart, got {one}")
    seen: dict[Any, Any] = {}
    for label in classes.tolist():
        other = seen.setdefault(_appearance(label), label)
        if other is not label:
            raise InputError(
                f"{name} has the classes {brief(other)} and {brief(label)}, which look "
                "the same: they differ only in blanks or in how an accent is encoded"
            )
    return classes


def encode_labels(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Number of the class that each label belongs to, int64 (n,); -1 where there is none.

    Labels are compared by value, not by type: 1, 1.0, True and ``np.uint8(1)`` are the same
    label, and 1 and "1" are not.

    Examples
    --------
    >>> encode_labels(np.array(["dog", "eel"]), np.array(["cat", "dog"]))
    array([ 1, -1])
    """
    # A dictionary, since arrays of different integer types are compared as floats.
    number = {label: place for place, label in enumerate(np.asarray(classes).tolist())}
    found = [number.get(label, -1) for label in np.asarray(labels).tolist()]
    return np.array(found, dtype=np.int64)


def encode_known(labels: np.ndarray, classes: np.ndarray, name: str = "y") -> np.ndarray:
    """Number of the class of each label, all of which must be among the fitted classes."""
    if not len(labels):
        return np.zeros(0, dtype=np.int64)
    _check_same_kind(labels, classes, name)
    target = encode_labels(labels, classes)
    if (target < 0).any():
        place = int((target < 0).argmax())
        raise InputError(
            f"{name}[{place}] is {brief(labels[place].item())}, "
            f"which is not one of the classes {_first_few(classes)}"
        )
    return target


def as_true_labels(y: Any, classes: np.ndarray, name: str = "y") -> np.ndarray:
    """True labels, in a form that can be compared with predictions of a fitted classifier.

    A label that the classifier has never seen is allowed: no prediction of it is right.

    Raises
    ------
    InputError
        If labels are missing, if they are strings and the classes are numbers (or the other
        way round), if none of them is known, or if one is a known class in another spelling
        (blanks, capitals, accents): comparing these would count right answers as wrong.

    Examples
    --------
    >>> as_true_labels(["cat", "eel"], np.array(["cat", "dog"]))
    array(['cat', 'eel'], dtype='<U3')
    >>> as_true_labels(["Cat", "dog"], np.array(["cat", "dog"]))
    Traceback (most recent call last):
    p2pselect.exceptions.InputError: y[0] is 'Cat', but the classifier knows 'cat'...
    """
    labels = as_labels(y, name)
    if not len(labels):
        return labels
    _check_same_kind(labels, classes, name)
    target = encode_labels(labels, classes)
    known = np.asarray(classes).tolist()
    spelled = {_appearance(label, str.casefold): label for label in known}
    for place in np.flatnonzero(target < 0).tolist():
        meant = spelled.get(_appearance(labels[place].item(), str.casefold))
        if meant is not None:
            raise InputError(
                f"{name}[{place}] is {brief(labels[place].item())}, but the classifier knows "
                f"{brief(meant)}; spell labels as in training"
            )
    if (target < 0).all():
        raise InputError(
            f"{name} has none of the classifier's classes {_first_few(classes)}, "
            f"got {_first_few(np.unique(labels))}"
        )
    return labels


def _one_dimension(y: Any, name: str) -> np.ndarray:
    if y is None:
        raise InputError("requires y to be passed, but the target y is None")
    if hasattr(y, "detach"):  # a torch tensor, perhaps on a GPU
        y = y.detach().cpu().numpy()
    if hasattr(y, "to_numpy"):
        y = y.to_numpy()
    elif hasattr(y, "__array__"):  # pandas' own arrays, for example
        y = np.asarray(y)
    if isinstance(y, (str, bytes, dict, set)) or not hasattr(y, "__len__"):
        raise InputError(f"{name} must be a sequence of labels, got {brief(y)}")
    if not isinstance(y, np.ndarray):
        # numpy would turn a list of strings and NaN into strings, "nan" among them.
        values, y = list(y), np.empty(len(y), dtype=object)
        if values and all(isinstance(value, (list, np.ndarray)) for value in values):
            values = [
                value[0] if np.ndim(value) == 1 and len(value) == 1 else value
                for value in values
            ]
        for place, value in enumerate(values):
            y[place] = value
    if y.ndim == 1:
        return y
    if y.ndim == 2 and y.shape[1] == 1:
        return column_or_1d(y, warn=True)
    is_one_hot = (
        y.ndim == 2
        and y.dtype.kind in "biuf"
        and np.isin(y, (0, 1)).all()
        and (y.sum(axis=1) == 1).all()
    )
    hint = "; for one-hot rows, pass y.argmax(axis=1)" if is_one_hot else ""
    raise InputError(f"{name} must have one label per image, got shape {y.shape}{hint}")


def _plain(value: Any) -> Any:
    """A scalar of numpy or torch as a Python object."""
    # Dates stay what they are: to numpy some of them are integers.
    is_date = isinstance(value, (np.datetime64, np.timedelta64))
    is_scalar = hasattr(value, "item") and np.ndim(value) == 0 and not is_date
    return value.item() if is_scalar else value


def _is_missing(value: Any) -> bool:
    # By name: pandas is not needed to know that its NA and NaT are holes.
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float) and value != value)
    )


def _refuse_missing(is_missing: np.ndarray, array: np.ndarray, name: str) -> None:
    if is_missing.any():
        place, count = int(is_missing.argmax()), int(is_missing.sum())
        raise InputError(
            f"{name} has missing labels: {name}[{place}] is {brief(_plain(array[place]))}"
            + (f", and {count - 1} more are missing" if count > 1 else "")
            + "; every image needs a label"
        )


def _check_same_kind(labels: np.ndarray, classes: np.ndarray, name: str) -> None:
    """Refuse numbers where the classes are strings, and strings where they are numbers."""
    given, known = (
        "strings" if isinstance(a[0], str) else "numbers" for a in (labels, classes)
    )
    if given != known:
        raise InputError(
            f"{name} holds {given} ({_first_few(np.unique(labels))}), but the classes are "
            f"{known} ({_first_few(classes)})"
        )


def _appearance(label: Any, fold: Callable[[str], str] = str) -> Any:
    """What a label looks like to a reader."""
    if not isinstance(label, str):
        return label
    return fold(unicodedata.normalize("NFC", label).strip())


def _first_few(classes: np.ndarray) -> str:
    first = ", ".join(map(brief, np.asarray(classes)[:5].tolist()))
    return f"[{first}{', ...' if len(classes) > 5 else ''}]"
