"""What the evaluation trains: a suite of trials, and how each of them is set up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.exceptions import InputError, UnknownNameError, brief, did_you_mean
from p2pselect.methods import METHODS
from p2pselect.presets import settings_for

#: The setting of a method that is used as it comes.
DEFAULT = "default"
#: The setting of a method that trains for as much CPU time as P2P.
EQUAL_CPU = "equal_cpu"
#: No dot, which separates the parts of a key, and nothing that a file name may not have.
_NAME = re.compile(r"[A-Za-z0-9_=-]+")


@dataclass(frozen=True, order=True)
class Trial:
    """One training: a method in one setting, on one data set, with one seed.

    Parameters
    ----------
    dataset : str
        Name of the data set: letters, digits, ``_``, ``-`` and ``=`` only, as in the next two.
    method : str
        Name of the method.
    setting : str
        Name of its setting.
    seed : int
        At least 0.

    Raises
    ------
    InputError
        If a name has other characters, or the seed is not such a number.

    Examples
    --------
    >>> Trial("digit_scenes", "p2p", "watershed", 2).key
    'digit_scenes.p2p.watershed.2'
    """

    dataset: str
    method: str
    setting: str
    seed: int

    def __post_init__(self) -> None:
        for field_name in ("dataset", "method", "setting"):
            name = getattr(self, field_name)
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise InputError(
                    f"{field_name} may contain only letters, digits, '_', '-' and '=', "
                    f"got {brief(name)}"
                )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"seed must be an int of at least 0, got {brief(self.seed)}")

    @property
    def key(self) -> str:
        """The four parts in one name, which is also a valid file name."""
        return f"{self.dataset}.{self.method}.{self.setting}.{self.seed}"


@dataclass(frozen=True)
class Variant:
    """A method, and what it changes in the settings of a plan.

    Parameters
    ----------
    method : str
        A key of :data:`p2pselect.methods.METHODS`, unless `estimator` is given.
    setting : str, default="default"
        Name of the variant.
    changes : dict, default={}
        Constructor arguments.
    group : {"p2p", "ablation", "blackbox", "method"}, default="method"
        Determines the number of epochs and seeds.
    estimator : type, optional
        The class of a method of your own, with the interface of
        :class:`~p2pselect.methods.BaselineClassifier`.

    Examples
    --------
    >>> Variant("comet", "slic", {"regions": "slic"}).name
    'comet:slic'
    """

    method: str
    setting: str = DEFAULT
    changes: Mapping[str, Any] = field(default_factory=dict)
    group: str = "method"
    estimator: type[SelectiveImageClassifier] | None = None

    @property
    def estimator_class(self) -> type[SelectiveImageClassifier]:
        """The class of the method."""
        return self.estimator or METHODS[self.method].cls

    @property
    def name(self) -> str:
        """Name on the command line: the method, and its setting unless that is the default."""
        return self.method if self.setting == DEFAULT else f"{self.method}:{self.setting}"


#: What the other methods depend on: the kept fraction to match, the black box to learn from.
P2P = Variant("p2p", group="p2p")
BLACKBOX = Variant("blackbox", group="blackbox")


@dataclass(frozen=True)
class Plan:
    """How every method is trained on one data set.

    Parameters
    ----------
    settings : dict
        Constructor arguments that the methods share; each method takes those that it has.
    epochs : dict of str to int
        Number of epochs by variant (``"comet:slic"``), method or group; the most specific
        entry applies.
    n_train, n_test : int, optional
        Number of images, drawn at random from each split.  Default: all of them.
    tau : float, optional
        The kept fraction that the other methods must match.  By default it is P2P's own mean
        on the test images of the same seed, rounded to whole percent.
    changes : dict of str to dict, default={}
        More constructor arguments by method, for methods whose defaults are too slow.
    ablations : tuple of str, optional
        Settings of the ablations to run.  Default: all ablations of the suite.

    Examples
    --------
    >>> from p2pselect import presets
    >>> plan = Plan(presets.SMALL, epochs={"p2p": 14, "method": 7}, n_train=500)
    >>> plan.make_estimator(Variant("comet"), tau=0.1).max_epochs
    7
    """

    settings: Mapping[str, Any]
    epochs: Mapping[str, int]
    n_train: int | None = None
    n_test: int | None = None
    tau: float | None = None
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ablations: tuple[str, ...] | None = None

    def with_weights(self, folder: str | None) -> Plan:
        """The same plan, which fails where its pretrained weights cannot be found.

        Results from random weights would pass for those of pretrained networks.

        Parameters
        ----------
        folder : str or None
            Where the weights are; None takes them from the cache or downloads them.

        Returns
        -------
        Plan
            The plan; random weights, and files that it names itself, stay what they are.
        """

        def found(pretrained: Any) -> Any:
            if isinstance(pretrained, Mapping):
                return {name: found(own) for name, own in pretrained.items()}
            return (folder or True) if pretrained in (True, "auto") else pretrained

        given = self.settings.get("pretrained", "auto")
        return replace(self, settings={**self.settings, "pretrained": found(given)})

    def make_estimator(self, variant: Variant, **more: Any) -> SelectiveImageClassifier:
        """Make the unfitted estimator of a variant.

        Parameters
        ----------
        variant : Variant
            Its changes take precedence over the settings of the plan.
        **more : Any
            Arguments of one trial, such as its seed; ignored by methods that lack them.

        Returns
        -------
        SelectiveImageClassifier
            The estimator.
        """
        shared = {**self.settings, **more}
        for name in (variant.name, variant.method, variant.group):
            if name in self.epochs:
                shared["max_epochs"] = self.epochs[name]
                break
        if variant.method != "p2p":
            # The regions of the preset belong to P2P: the other methods select pixels.
            shared.pop("regions", None)
        own = {**self.changes.get(variant.method, {}), **variant.changes}
        method = variant.estimator_class
        # Not the constructor, which does not take settings of a group, such as objective__x.
        return method().set_params(**settings_for(method, shared) | own)


@dataclass(frozen=True)
class Suite:
    """All trials of an evaluation.

    Parameters
    ----------
    name : str
        A run can only be continued with a suite of the same name.
    plans : dict of str to Plan
        By name of the data set.
    variants : tuple of Variant
        What is trained on every data set.
    on_request : tuple of Variant, default=()
        Variants that run only if they are named.
    seeds : tuple of int, default=(0, 1, 2)
        Each variant runs once with each seed.
    n_ablation_seeds : int, default=3
        Number of seeds, from the first on, that variants of the group "ablation" run with.
    certainty_thresholds : tuple of float, default=(0.8, 0.9, 0.95, 0.99)
        Thresholds at which each trained P2P is measured.
    n_curve_images : int, default=200
        Number of random test images for insertion, deletion and the other scores that need
        many predictions.
    audit_epochs : int, default=0
        Most epochs of the judge that audits every method in its default setting, as
        :func:`p2pselect.audit` does; 0 for no audits.
    equal_cpu : bool, default=False
        Also train every method in the setting ``"equal_cpu"``: its default one, for as many
        epochs as take the CPU time of P2P.

    Examples
    --------
    >>> plan = Plan({"image_size": 64}, epochs={"p2p": 1, "method": 1})
    >>> suite = Suite("mine", {"digit_scenes": plan}, (Variant("realx"),), seeds=(0,))
    >>> [trial.key for trial in suite.trials()]
    ['digit_scenes.realx.default.0', 'digit_scenes.p2p.default.0']
    """

    name: str
    plans: Mapping[str, Plan]
    variants: tuple[Variant, ...]
    on_request: tuple[Variant, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    n_ablation_seeds: int = 3
    certainty_thresholds: tuple[float, ...] = (0.8, 0.9, 0.95, 0.99)
    n_curve_images: int = 200
    audit_epochs: int = 0
    equal_cpu: bool = False

    def trials(
        self,
        datasets: Iterable[str] | None = None,
        methods: Iterable[str] | None = None,
        seeds: Iterable[int] | None = None,
    ) -> dict[Trial, Variant]:
        """List the trials of some data sets, methods and seeds, and those they depend on.

        Parameters
        ----------
        datasets : iterable of str, optional
            Default: all data sets of the suite.
        methods : iterable of str, optional
            ``METHOD`` for all its variants, ``METHOD:SETTING`` for one.
        seeds : iterable of int, optional
            Default: all seeds of the suite.

        Returns
        -------
        dict of Trial to Variant
            The trials, and what is trained in each.

        Raises
        ------
        UnknownNameError
            If the suite does not have one of the data sets or methods.
        """
        seeds = list(self.seeds if seeds is None else dict.fromkeys(seeds))
        datasets = list(self.plans if datasets is None else dict.fromkeys(datasets))
        for name in datasets:
            _check_name("data set", name, self.plans)
        found: dict[Trial, Variant] = {}
        for dataset in datasets:
            wanted = self.plans[dataset].ablations
            for variant in self._chosen(methods):
                is_ablation = variant.group == "ablation"
                if is_ablation and wanted is not None and variant.setting not in wanted:
                    continue
                for seed in seeds[: self.n_ablation_seeds] if is_ablation else seeds:
                    trial = Trial(dataset, variant.method, variant.setting, seed)
                    found[trial] = variant
                    for other in dependencies(self, trial, variant):
                        # A trial that was also asked for keeps the variant that it has.
                        found.setdefault(other, P2P if other.method == "p2p" else BLACKBOX)
        return found

    def _chosen(self, methods: Iterable[str] | None) -> list[Variant]:
        own = list(self.variants)
        if self.equal_cpu:
            others = (v for v in own if v.setting == DEFAULT and v.method != "p2p")
            own += [replace(v, setting=EQUAL_CPU) for v in others]
        if methods is None:
            return own
        by_name = {v.name: v for v in (*self.on_request, *own)}
        chosen: dict[str, Variant] = {}
        for name in methods:
            variants = [v for v in own if v.method == name]
            if not variants:
                _check_name("method", name, by_name)
                variants = [by_name[name]]
            chosen |= {v.name: v for v in variants}
        return list(chosen.values())


def dependencies(suite: Suite, trial: Trial, variant: Variant) -> list[Trial]:
    """The trials whose results a trial of a variant uses."""
    p2p, blackbox = (
        Trial(trial.dataset, name, DEFAULT, trial.seed) for name in ("p2p", "blackbox")
    )
    needed = []
    # P2P searches for its own tau, and the black box hides nothing.
    if suite.plans[trial.dataset].tau is None and trial not in (p2p, blackbox):
        needed.append(p2p)
    if "blackbox" in variant.estimator_class._get_param_names():
        needed.append(blackbox)
    return needed


def _check_name(kind: str, name: str, known: Iterable[str]) -> None:
    known = list(known)
    if name not in known:
        hint = did_you_mean(name, known) or "."
        raise UnknownNameError(
            f"no {kind} is called {brief(name)}{hint} Known: {', '.join(known)}"
        )
