"""What a benchmark is made of: trainings, plans of data sets, scales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.exceptions import UnknownNameError, brief, did_you_mean
from p2pselect.methods import METHODS
from p2pselect.regions._transformer import SuperpixelTransformer
from p2pselect.reproduction._cells import DEFAULT, Cell


@dataclass(frozen=True)
class Training:
    """A method and what it changes of a plan's settings.

    Parameters
    ----------
    method : str
        Key of :data:`p2pselect.methods.METHODS`.
    setting : str, default="default"
        Name of the variant.
    changes : dict, default={}
        Constructor arguments.
    group : {"p2p", "ablation", "blackbox", "method"}, default="method"
        Decides on the epochs and the seeds.
    estimator : type, optional
        Class of a method that is not in that table: anything with the interface
        of :class:`~p2pselect.methods.BaselineClassifier`.

    Examples
    --------
    >>> Training("comet", "slic", {"regions": "slic"}).name
    'comet:slic'
    """

    method: str
    setting: str = DEFAULT
    changes: Mapping[str, Any] = field(default_factory=dict)
    group: str = "method"
    estimator: type[SelectiveImageClassifier] | None = None

    @property
    def cls(self) -> type[SelectiveImageClassifier]:
        """The class of the method."""
        return METHODS[self.method].cls if self.estimator is None else self.estimator

    @property
    def name(self) -> str:
        """Name on the command line: the method, and the setting where it is not the default."""
        return self.method if self.setting == DEFAULT else f"{self.method}:{self.setting}"


#: What other methods build on: kept fraction to match, black box to learn from.
P2P = Training("p2p", group="p2p")
BLACKBOX = Training("blackbox", group="blackbox")


@dataclass(frozen=True)
class Plan:
    """How every method is trained on one data set.

    Parameters
    ----------
    settings : dict
        Constructor arguments that all methods share; a method takes those that it has.
    epochs : dict of str to int
        By name of a training, name of a method, or group; the first that is there.
    n_train, n_test : int, optional
        So many random images of a split; None for all.
    tau : float, optional
        Kept fraction that the other methods are held to; None for P2P's own mean on the
        test images of the same seed, rounded to whole per cent.
    changes : dict of str to dict, default={}
        More constructor arguments by method: of methods too slow as they come.
    ablations : tuple of str, optional
        Settings of the ablations that are run; None for all of the scale.

    Examples
    --------
    >>> from p2pselect import presets
    >>> plan = Plan(presets.SMALL, epochs={"p2p": 14, "method": 7}, n_train=500)
    >>> plan.estimator(Training("comet"), tau=0.1).max_epochs
    7
    """

    settings: Mapping[str, Any]
    epochs: Mapping[str, int]
    n_train: int | None = None
    n_test: int | None = None
    tau: float | None = None
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ablations: tuple[str, ...] | None = None

    def estimator(self, training: Training, **more: Any) -> SelectiveImageClassifier:
        """The unfitted estimator of a training.

        Parameters
        ----------
        training : Training
        **more
            Arguments of the cell: seed, tau, black box; taken where the method has them.

        Returns
        -------
        SelectiveImageClassifier
        """
        shared = {**self.settings, **more}
        for name in (training.name, training.method, training.group):
            if name in self.epochs:
                shared["max_epochs"] = self.epochs[name]
                break
        if training.method != "p2p":
            # The regions of the preset are P2P's: the others select pixels.
            shared.pop("regions", None)
        own = {**self.changes.get(training.method, {}), **training.changes}
        return training.cls(**{**training.cls.known(shared), **own})


@dataclass(frozen=True)
class Scale:
    """A whole benchmark.

    Parameters
    ----------
    name : str
    plans : dict of str to Plan
        By name of the data set.
    trainings : tuple of Training
    variants : tuple of Training, default=()
        Trainings that are run when they are named only.
    seeds : tuple of int
    n_ablation_seeds : int
        Trainings of the group "ablation" run with the first so many seeds only.
    certainty_thresholds : tuple of float
        Of the sweep over delta, measured of one trained P2P.
    n_curve_images : int
        Insertion, deletion and the other scores that need many predictions come from so
        many random test images.

    Examples
    --------
    >>> plan = Plan({"image_size": 64}, epochs={"p2p": 1, "method": 1})
    >>> scale = Scale("mine", {"digit_scenes": plan}, (Training("realx"),), seeds=(0,))
    >>> [cell.key for cell in scale.cells()]
    ['digit_scenes.realx.default.0', 'digit_scenes.p2p.default.0']
    """

    name: str
    plans: Mapping[str, Plan]
    trainings: tuple[Training, ...]
    variants: tuple[Training, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    n_ablation_seeds: int = 3
    certainty_thresholds: tuple[float, ...] = (0.8, 0.9, 0.95, 0.99)
    n_curve_images: int = 200

    def cells(
        self,
        datasets: Iterable[str] | None = None,
        methods: Iterable[str] | None = None,
        seeds: Iterable[int] | None = None,
    ) -> dict[Cell, Training]:
        """The cells of a choice of data sets, methods and seeds, and those they depend on.

        Parameters
        ----------
        datasets : iterable of str, optional
            Default: all of the scale.
        methods : iterable of str, optional
            ``METHOD`` for all its trainings, ``METHOD:SETTING`` for one.
        seeds : iterable of int, optional

        Returns
        -------
        dict of Cell to Training

        Raises
        ------
        UnknownNameError
            If there is no such data set or method.
        """
        seeds = list(self.seeds if seeds is None else dict.fromkeys(seeds))
        datasets = list(self.plans if datasets is None else dict.fromkeys(datasets))
        for name in datasets:
            check_name("data set", name, self.plans)
        found: dict[Cell, Training] = {}
        for dataset in datasets:
            wanted = self.plans[dataset].ablations
            for training in self._chosen(methods):
                few = training.group == "ablation"
                if few and wanted is not None and training.setting not in wanted:
                    continue
                for seed in seeds[: self.n_ablation_seeds] if few else seeds:
                    cell = Cell(dataset, training.method, training.setting, seed)
                    found[cell] = training
                    for needed in self.requirements(cell, training):
                        found.setdefault(needed, P2P if needed.method == "p2p" else BLACKBOX)
        return found

    def requirements(self, cell: Cell, training: Training) -> list[Cell]:
        """Cells whose results a cell uses.

        Parameters
        ----------
        cell : Cell
        training : Training

        Returns
        -------
        list of Cell
        """
        needed = []
        p2p, blackbox = (
            Cell(cell.dataset, name, DEFAULT, cell.seed) for name in ("p2p", "blackbox")
        )
        if self.plans[cell.dataset].tau is None and cell not in (p2p, blackbox):
            needed.append(p2p)
        if "blackbox" in training.cls._get_param_names():
            needed.append(blackbox)
        return needed

    def _chosen(self, methods: Iterable[str] | None) -> list[Training]:
        if methods is None:
            return list(self.trainings)
        known = {t.name: t for t in (*self.variants, *self.trainings)}
        chosen: dict[str, Training] = {}
        for name in methods:
            own = [t for t in self.trainings if t.method == name]
            if not own:
                check_name("method", name, known)
                own = [known[name]]
            chosen |= {t.name: t for t in own}
        return list(chosen.values())

    def described(self) -> dict[str, Any]:
        """What a run of this scale must not change, as plain data."""
        plain: dict[str, Any] = {
            "name": self.name,
            "certainty_thresholds": list(self.certainty_thresholds),
            "n_curve_images": self.n_curve_images,
        }
        for dataset, plan in self.plans.items():
            plain[f"plan of {dataset}"] = _plain(asdict(plan))
        for training in (*self.variants, *self.trainings):
            plain[f"training of {training.name}"] = _plain(training.changes)
        return plain


def check_name(what: str, name: str, known: Iterable[str]) -> None:
    """Raise an UnknownNameError with near matches unless a name is known."""
    known = list(known)
    if name not in known:
        raise UnknownNameError(
            f"no {what} is called {brief(name)}; there are {known}{did_you_mean(name, known)}"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, SuperpixelTransformer):
        return {k: _plain(v) for k, v in value.get_params(deep=False).items()}
    # The address of a function is no part of what it is.
    return getattr(value, "__qualname__", None) or str(value)
