"""Scorers of explanations for scikit-learn: cross-validation, searches, pipelines.

A scorer is an object, not a function, because only objects can ask scikit-learn's metadata
routing for the object masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import sklearn.metrics
from sklearn.utils.metadata_routing import MetadataRequest

from p2pselect._docstrings import shared_docs
from p2pselect.exceptions import InputError, UnknownNameError, brief, did_you_mean
from p2pselect.metrics._explained import ExplainedImages
from p2pselect.metrics._scores import NEEDS, SCORES


class RequestsMasks:
    """What scikit-learn asks of a scorer that takes metadata."""

    needs: tuple[str, ...]
    _requests: dict[str, bool | str | None]

    def _request_what_is_needed(self) -> None:
        # The others are not metadata: y is passed to every scorer, and the estimator predicts.
        self._requests = {need: True for need in self.needs if need in ("masks", "valid")}

    def get_metadata_routing(self) -> MetadataRequest:
        """Say which metadata this scorer requests: its masks, unless told otherwise.

        Returns
        -------
        MetadataRequest
            As scikit-learn expects it.
        """
        request = MetadataRequest(owner=type(self).__name__)
        for name, alias in self._requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def set_score_request(self, **requests: bool | str | None) -> Self:
        """Rename or drop metadata, as in scikit-learn.

        Parameters
        ----------
        **requests : bool, str or None
            For example ``masks="object_masks"`` to take ``params={"object_masks": M}``.

        Returns
        -------
        scorer
            The same object.
        """
        unknown = set(requests) - set(self._requests)
        if unknown:
            raise InputError(
                f"set_score_request: {brief(self)} takes {sorted(self._requests)}, "
                f"got {brief(sorted(unknown))}"
            )
        # A new dictionary, because shallow copies of a scorer share the old one.
        self._requests = {**self._requests, **requests}
        return self

    def _accept_sample_weight(self) -> bool:
        # scikit-learn asks this of every scorer when it is given sample weights.
        return False


@shared_docs
class ExplanationScorer(RequestsMasks):
    """A score of an estimator's explanations; greater is always better.

    Made by :func:`get_scorer` and :func:`make_explanation_scorer`.  Call it as
    ``scorer(estimator, X, y, masks=M)``, or pass it as ``scoring=`` to scikit-learn with
    ``sklearn.set_config(enable_metadata_routing=True)`` and ``params={"masks": M}``.

    Parameters
    ----------
    func : callable
        ``func(explanation, **needed) -> float``.
    name : str
        Name in error messages.
    needs : tuple of {"masks", "valid", "y", "predict_proba"}
        What `func` takes as keyword arguments.
    sign : {1, -1}
        -1 if less is better for `func`.

    Examples
    --------
    >>> from p2pselect.metrics import get_scorer
    >>> get_scorer("localization")
    <explanation scorer 'localization', greater is better>
    """

    def __init__(
        self, func: Callable[..., float], name: str, needs: tuple[str, ...], sign: int
    ) -> None:
        self.func = func
        self.name = name
        self.needs = needs
        self.sign = sign
        self._request_what_is_needed()

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, *, masks: Any = None, valid: Any = None
    ) -> float:
        """Explain the images and score the explanations.

        Parameters
        ----------
        %(estimator)s
        %(X)s
        y : array-like of shape (n,), optional
            True labels, for scores that need them.
        %(masks_of_images)s

        Returns
        -------
        float
            The score, with its sign changed if less is better for the function.

        Raises
        ------
        InputError
            If something that the score needs is missing or does not fit the images.
        """
        images = ExplainedImages(estimator, X, y, masks, valid, asked_by=repr(self))
        return self._score(images)

    def _score(self, images: ExplainedImages) -> float:
        """Score images that other scorers may have had explained already."""
        wanted = images.require(self.needs)
        return float(self.sign * self.func(images.explanation, **wanted))

    def __repr__(self) -> str:
        direction = "greater is better" if self.sign > 0 else "minus sign: greater is better"
        return f"<explanation scorer {self.name!r}, {direction}>"


class ExplanationScorers(RequestsMasks):
    """Several scores from one pass of explanations, as a dictionary.

    Usable wherever scikit-learn takes a callable that returns several scores:
    ``cross_validate(..., scoring=ExplanationScorers(["accuracy", "localization"]))``,
    ``GridSearchCV(..., refit="localization")``.

    Parameters
    ----------
    scoring : iterable of str, or dict of str to (str or scorer)
        Names of explanation scores and of scikit-learn's own; or scorers by name.  All named
        scores use one pass; a scorer object that is not an explanation scorer calls the
        estimator again.

    Examples
    --------
    >>> ExplanationScorers(["accuracy", "localization"])
    <explanation scorers 'accuracy', 'localization'>
    """

    def __init__(self, scoring: Iterable[str] | Mapping[str, Any]) -> None:
        named = by_name(scoring)
        if not named:
            raise InputError("scoring must name at least one score, got none")
        self.scorers = {name: _resolve(value) for name, value in named.items()}
        self._answered = {name for name, value in named.items() if isinstance(value, str)}
        needed = {n for scorer in self.scorers.values() for n in getattr(scorer, "needs", ())}
        self.needs = tuple(need for need in NEEDS if need in needed)
        self._request_what_is_needed()

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, *, masks: Any = None, valid: Any = None
    ) -> dict[str, float]:
        """Explain the images once and compute every score; see :class:`ExplanationScorer`."""
        images = ExplainedImages(estimator, X, y, masks, valid, asked_by=repr(self))
        scores = {}
        for name, scorer in self.scorers.items():
            if isinstance(scorer, ExplanationScorer):
                scores[name] = scorer._score(images)
            else:
                answering = images.answers if name in self._answered else estimator
                scores[name] = float(scorer(answering, X, y))
        return scores

    def __repr__(self) -> str:
        return f"<explanation scorers {', '.join(map(repr, self.scorers))}>"


def make_explanation_scorer(
    func: Callable[..., float],
    *,
    needs: Iterable[str] = ("masks",),
    greater_is_better: bool = True,
    name: str | None = None,
) -> ExplanationScorer:
    """Make a scorer from a function of an :class:`~p2pselect.Explanation`.

    The scorer works wherever the named ones do: in scikit-learn's ``cross_val_score`` and
    searches, in :class:`ExplanationScorers` and in ``cross_validate_explanations``.

    Parameters
    ----------
    func : callable
        ``func(explanation, **needed) -> float``.  It has to be a function of a module if the
        scorer travels to other processes without cloudpickle.
    needs : iterable of {"masks", "valid", "y", "predict_proba"}, default=("masks",)
        What `func` takes as keyword arguments: object masks, bool (n, h, w) on the model's
        grid; where they are known, bool (n, h, w) or None; labels (n,); the classifier behind
        the selection, which maps masked images to class probabilities.
    greater_is_better : bool, default=True
        False changes the sign, so that greater is better for the scorer.
    name : str, optional
        Name in error messages; by default that of `func`, with ``neg_`` in front of it if the
        sign changes.

    Returns
    -------
    ExplanationScorer
        Its sign is changed if less is better for `func`.

    Raises
    ------
    UnknownNameError
        If `needs` has any other name.

    Examples
    --------
    >>> def object_size(explanation, masks):
    ...     return masks.mean()
    >>> make_explanation_scorer(object_size, needs=("masks",))
    <explanation scorer 'object_size', greater is better>
    """
    # A string is an iterable too: of its letters.
    needs = (needs,) if isinstance(needs, str) else tuple(needs)
    unknown = [need for need in needs if need not in NEEDS]
    if unknown:
        raise UnknownNameError(f"needs must be among {NEEDS}, got {unknown}")
    if name is None:
        given = getattr(func, "__name__", type(func).__name__)
        name = given if greater_is_better else f"neg_{given}"
    return ExplanationScorer(func, name, needs, 1 if greater_is_better else -1)


def get_scorer(name: str) -> ExplanationScorer:
    """Return a scorer by its name.

    Parameters
    ----------
    name : str
        One of :func:`get_scorer_names`.

    Returns
    -------
    ExplanationScorer
        A new object; greater is better.

    Raises
    ------
    UnknownNameError
        If there is no such score; the message lists near matches.

    Examples
    --------
    >>> get_scorer("neg_kept_fraction")
    <explanation scorer 'neg_kept_fraction', minus sign: greater is better>
    """
    if name not in SCORES:
        raise UnknownNameError(
            f"no explanation scorer is called {brief(name)}; "
            f"there are {get_scorer_names()}{did_you_mean(name, SCORES)}"
        )
    func, needs, greater_is_better = SCORES[name]
    return make_explanation_scorer(
        func, needs=needs, greater_is_better=greater_is_better, name=name
    )


def get_scorer_names() -> list[str]:
    """List the names that :func:`get_scorer` knows.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> "localization" in get_scorer_names()
    True
    """
    return sorted(SCORES)


def by_name(scoring: str | Iterable[str] | Mapping[str, Any]) -> dict[str, Any]:
    """What to score, by name: one name, several, or a dictionary already."""
    if isinstance(scoring, str):
        scoring = [scoring]
    return dict(scoring) if isinstance(scoring, Mapping) else {name: name for name in scoring}


def _resolve(scorer: Any) -> Callable[..., float]:
    if callable(scorer):
        return scorer
    if scorer not in SCORES and scorer in sklearn.metrics.get_scorer_names():
        return sklearn.metrics.get_scorer(scorer)
    # It refuses unknown names, and lists near matches.
    return get_scorer(scorer)
