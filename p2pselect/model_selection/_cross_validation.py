"""Cross-validation of explanations, and a search over settings that cost no training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import sklearn
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import ParameterGrid, StratifiedGroupKFold, cross_validate
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from p2pselect._doc_links import DocumentedEstimator
from p2pselect._docstrings import shared_docs
from p2pselect.exceptions import InputError, UnknownNameError, brief
from p2pselect.metrics._object_masks import check_object_masks
from p2pselect.metrics._scorers import ExplanationScorers, RequestsMasks, by_name


@shared_docs
def cross_validate_explanations(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    masks: Any = None,
    valid: Any = None,
    scoring: Iterable[str] | Mapping[str, Any] | None = None,
    groups: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    return_estimator: bool = False,
) -> dict[str, Any]:
    """Cross-validate accuracy and explanations, with one pass of explanations per fold.

    The masks are routed to the scores internally; scikit-learn's global configuration is not
    touched.

    Parameters
    ----------
    estimator : estimator
        An estimator with ``explain``, a Pipeline that ends in one, or a search over one; it
        need not be fitted.
    %(X)s
    %(y)s
    %(masks_of_images)s
    scoring : iterable of str, or dict of str to (str or scorer), optional
        Names from :func:`p2pselect.metrics.get_scorer_names` and scikit-learn's own, or
        scorers by name.  By default accuracy, neg_kept_fraction, insertion_fidelity and
        neg_deletion_fidelity, and with `masks` also localization.
    groups : array-like of shape (n,), optional
        Images of one group are never on both sides of a split: an int `cv` then means
        ``StratifiedGroupKFold``.
    %(split_options)s
    return_estimator : bool, default=False
        Return the fitted estimators too.

    Returns
    -------
    dict of str to ndarray of shape (n_splits,)
        ``test_<score>``, ``fit_time`` and ``score_time``.  With `masks` also
        ``random_localization`` and ``center_localization``, which are what a random mask and a
        centered disc of the model's own area score, and ``empty``, the number of images of
        which nothing is kept and which localization leaves out.

    Raises
    ------
    InputError
        If masks are missing or do not fit the images; before any training.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> clf = P2PClassifier(**{**presets.SMALL, "image_size": 32, "max_epochs": 1})
    >>> results = cross_validate_explanations(
    ...     clf, scenes.images, scenes.target % 2, masks=scenes.masks, cv=2
    ... )
    >>> results["test_localization"].shape, results["random_localization"].shape
    ((2,), (2,))
    """
    if scoring is None:
        scoring = ["accuracy", "neg_kept_fraction", "insertion_fidelity"]
        scoring += ["neg_deletion_fidelity"] + ["localization"] * (masks is not None)
    named = by_name(scoring)
    references = ("random_localization", "center_localization", "neg_n_empty")
    if masks is not None:
        # Under names of their own, because `scoring` may name the same scores.
        named |= {f"reference_{name}": name for name in references}
    metadata = {"masks": masks, "valid": valid, "groups": groups}
    options = {"n_jobs": n_jobs, "verbose": verbose, "return_estimator": return_estimator}
    scorers = ExplanationScorers(named)
    results = _cross_validate(estimator, X, y, metadata, scorers, cv=cv, **options)
    if masks is not None:
        for name in references:
            results[name] = results.pop(f"test_reference_{name}")
        results["empty"] = (-results.pop("neg_n_empty")).astype(int)
    return results


@shared_docs
class CertaintySearchCV(
    DocumentedEstimator, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    """Choose settings of prediction by cross-validation, with one training per fold.

    ``GridSearchCV`` trains for every candidate.  This search trains once per fold, scores all
    candidates with what it trained, and trains once more on all images with the best one.  It
    therefore accepts only settings that training does not depend on: ``certainty_threshold``,
    ``search__tau_step`` and ``search__allow_empty`` of every method, P2P's ``selection``,
    ``mask`` and ``noise`` where a method has them, and ``tau`` of methods that are not trained
    for one (P2P with ``objective__tau_training="uniform"``, and those baselines whose training
    knows no area).

    Parameters
    ----------
    estimator : estimator
        An estimator with ``explain``, or a Pipeline that ends in one.
    param_grid : dict of str to list, or list of such, optional
        Values of settings that matter at prediction only; for a Pipeline the names start with
        that of the step.  By default certainty_threshold .8, .9, .95 and .99.
    scoring : str, iterable of str, or dict of str to (str or scorer), default="accuracy"
        As in :func:`cross_validate_explanations`.
    refit : str, optional
        Which of several scores decides; by default the first one.
    %(split_options)s

    Attributes
    ----------
    best_estimator_ : estimator
        Trained on all images, with the best parameters.
    best_params_ : dict
        The best candidate.
    best_score_ : float
        Its mean over folds of the deciding score.
    best_index_ : int
        Its row in ``cv_results_``.
    cv_results_ : dict of str to array or list
        ``params``; for each score ``mean_test_<score>``, ``std_test_<score>``,
        ``rank_test_<score>`` and ``split<i>_test_<score>``; times.
    classes_ : ndarray of shape (n_classes,)
        The labels.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, presets
    >>> clf = P2PClassifier(**presets.SMALL)
    >>> search = CertaintySearchCV(clf, {"certainty_threshold": [0.8, 0.95]}, cv=3)
    >>> search.get_params()["param_grid"]
    {'certainty_threshold': [0.8, 0.95]}
    """

    # fit wants these for its scores whenever an outer cross-validation routes them.
    __metadata_request__fit = {"masks": True, "valid": True, "groups": True}

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Sequence] | Sequence[Mapping[str, Sequence]] | None = None,
        *,
        scoring: str | Iterable[str] | Mapping[str, Any] = "accuracy",
        refit: str | None = None,
        cv: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.scoring = scoring
        self.refit = refit
        self.cv = cv
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, *, masks: Any = None, valid: Any = None, groups: Any = None
    ) -> Self:
        """Score all candidates over folds, then train with the best on all images.

        Parameters
        ----------
        %(X)s
        %(y)s
        %(masks_of_images)s
        groups : array-like of shape (n,), optional
            Images of one group are never on both sides of a split.

        Returns
        -------
        CertaintySearchCV
            The fitted search.

        Raises
        ------
        UnknownNameError
            If `param_grid` names a parameter that training depends on.
        """
        grid = self.param_grid or {"certainty_threshold": [0.8, 0.9, 0.95, 0.99]}
        candidates = list(ParameterGrid(grid))
        for name in sorted({name for params in candidates for name in params}):
            _check_needs_no_training(self.estimator, name)
        scorers = ExplanationScorers(self.scoring)
        decisive = self.refit or next(iter(scorers.scorers))
        if decisive not in scorers.scorers:
            raise UnknownNameError(
                f"refit must be one of the scores {list(scorers.scorers)}, "
                f"got {brief(decisive)}"
            )
        metadata = {"masks": masks, "valid": valid, "groups": groups}
        every = _EveryCandidate(candidates, scorers)
        options = {"cv": self.cv, "n_jobs": self.n_jobs, "verbose": self.verbose}
        results = _cross_validate(self.estimator, X, y, metadata, every, **options)
        self.cv_results_ = _tabulate(results, candidates, list(scorers.scorers))
        self.best_index_ = int(np.argmin(self.cv_results_[f"rank_test_{decisive}"]))
        self.best_score_ = float(self.cv_results_[f"mean_test_{decisive}"][self.best_index_])
        self.best_params_ = candidates[self.best_index_]
        best = clone(self.estimator).set_params(**self.best_params_)
        self.best_estimator_ = best.fit(X, y)
        self.classes_ = self.best_estimator_.classes_
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels with the best estimator.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n,)
            One label per image.
        """
        check_is_fitted(self)
        return self.best_estimator_.predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities with the best estimator.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.best_estimator_.predict_proba(X)

    @available_if(lambda self: hasattr(getattr(self, "best_estimator_", None), "explain"))
    def explain(self, X: Any, **options: Any) -> Any:
        """Explanation by the best estimator."""
        return self.best_estimator_.explain(X, **options)


def _check_needs_no_training(estimator: Any, name: str) -> None:
    """Raise unless a parameter of an estimator, or of a step of it, is one of prediction."""
    # The longest first step that has such settings: the rest may name a group of them.
    params = estimator.get_params()
    owner, parameter, step = estimator, name, ""
    while not hasattr(owner, "_prediction_parameters") and "__" in parameter:
        first, _, parameter = parameter.partition("__")
        step = f"{step}__{first}" if step else first
        owner = params.get(step)
    known: frozenset[str] = getattr(owner, "_prediction_parameters", frozenset)()
    if parameter in known:
        return
    method = type(owner).__name__ if owner is not None else f"no step {brief(step)}"
    hint = ""
    if parameter == "tau" and known and "objective__tau_training" in owner.get_params():
        hint = ", or set objective__tau_training='uniform', which trains for every tau"
    raise UnknownNameError(
        f"param_grid: {name} of {method} is not a setting of prediction alone, and this search "
        f"trains once for all candidates; search over it with GridSearchCV{hint}.  What needs "
        f"no training here: {sorted(known)}"
    )


class _EveryCandidate(RequestsMasks):
    """Scores of one fitted estimator under every candidate, named ``<candidate>_<score>``."""

    def __init__(self, candidates: list[dict[str, Any]], scorers: ExplanationScorers) -> None:
        self.candidates = candidates
        self.scorers = scorers.scorers
        self.needs = scorers.needs
        self._score = scorers
        self._request_what_is_needed()

    def __call__(self, estimator: Any, X: Any, y: Any = None, **masks: Any) -> dict[str, float]:
        # Candidates of several grids name different parameters: each starts from the same.
        names = {name for params in self.candidates for name in params}
        before = {name: estimator.get_params()[name] for name in names}
        return {
            f"{k}_{name}": score
            for k, params in enumerate(self.candidates)
            for name, score in self._score(
                estimator.set_params(**before | params), X, y, **masks
            ).items()
        }


def _cross_validate(
    estimator: Any, X: Any, y: Any, metadata: dict[str, Any], scorers: Any, **options: Any
) -> dict[str, Any]:
    """Cross-validate with routing on, after everything that can be checked before training."""
    given = {name: values for name, values in metadata.items() if values is not None}
    needing = [k for k, s in scorers.scorers.items() if "masks" in getattr(s, "needs", ())]
    if needing and "masks" not in given:
        raise InputError(f"scoring: {needing} need object masks, one per image: pass masks=M")
    for name in {"masks", "valid"} & set(given):
        # To one pixel each: masks of unequal sizes can be checked, and nothing is kept of them.
        check_object_masks(given[name], len(X), (1, 1), name=name)
        if name not in scorers.needs:
            del given[name]  # scikit-learn refuses metadata that nobody requests
    # What scikit-learn makes of a number of folds takes no notice of groups.
    if "groups" in given and (options["cv"] is None or isinstance(options["cv"], int)):
        options["cv"] = StratifiedGroupKFold(options["cv"] or 5)
    with sklearn.config_context(enable_metadata_routing=True):
        # By default, a score that fails would become NaN, with no more than a warning.
        return cross_validate(
            estimator, X, y, scoring=scorers, params=given, error_score="raise", **options
        )


def _tabulate(
    results: dict[str, Any], candidates: list[dict[str, Any]], names: list[str]
) -> dict[str, Any]:
    """Results by fold and candidate, laid out as in scikit-learn's searches."""
    table: dict[str, Any] = {"params": candidates}
    # All candidates share these: there is one training per fold.
    for time in ("fit_time", "score_time"):
        table[f"mean_{time}"] = np.full(len(candidates), results[time].mean())
    for name in names:
        scores = np.array([results[f"test_{k}_{name}"] for k in range(len(candidates))])
        table |= {f"split{i}_test_{name}": column for i, column in enumerate(scores.T)}
        table[f"mean_test_{name}"] = scores.mean(axis=1)
        table[f"std_test_{name}"] = scores.std(axis=1)
        # Candidates without a score share the last rank, as in scikit-learn.
        filled = np.nan_to_num(scores.mean(axis=1), nan=-np.inf)
        table[f"rank_test_{name}"] = rankdata(-filled, method="min").astype(np.int32)
    return table
