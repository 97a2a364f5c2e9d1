"""Settings written once: a class declares each one as a field, and the rest follows from it.

A field states a default, what values are allowed, and what the setting does::

    class Blur(Settings):
        '''Blurs images.

        Parameters
        ----------
        {parameters}
        '''

        radius: float = setting(
            "Radius in pixels.", Interval(Real, 0, None, closed="neither"), default=2.0
        )

The class gets a keyword-only constructor that does nothing but assign, its signature,
scikit-learn's ``_parameter_constraints`` and ``get_params``, and a "Parameters" section in the
place of ``{parameters}``.  A subclass inherits fields, may declare one again to change what it
names (``radius: float = setting(default=3.0)``), and may drop those that it has no use for
(``class Fixed(Blur, without=("radius",))``): nobody can set them, and methods of the base class
see their default.

A field whose constraint is a class of :class:`Options` holds a group of settings.  Its default
is None, which stands for that class's defaults; ``get_params`` and ``set_params`` reach the
group's own settings as ``group__name`` in either case.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, dataclass_transform

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from p2pselect._doc_links import DocumentedEstimator
from p2pselect.exceptions import did_you_mean

#: What a setting acts on: the ``networks`` are built from it; they have seen ``input`` of that
#: kind; only ``training`` reads it; only ``prediction`` reads it; or it is about the
#: ``machine`` and has no influence on what is learned.
Role = Literal["networks", "input", "training", "prediction", "machine"]

# Constraints that many settings have.
POSITIVE = Interval(Real, 0, None, closed="neither")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")


@dataclass(frozen=True)
class Setting:
    """One declared setting; :func:`setting` says what the fields are."""

    default: Any
    description: str | None
    constraints: tuple[Any, ...]
    role: Role | None
    kind: str | None
    saved: bool
    annotation: Any = Any

    @property
    def group(self) -> type[Options] | None:
        """The class of a group of settings; None for a single one."""
        for constraint in self.constraints:
            if isinstance(constraint, type) and issubclass(constraint, Options):
                return constraint
        return None

    def over(self, inherited: Setting | None) -> Setting:
        """This setting, with what it does not state taken from the one that it replaces."""
        if inherited is None:
            return self
        return replace(
            self,
            description=self.description or inherited.description,
            constraints=self.constraints or inherited.constraints,
            role=self.role or inherited.role,
            # Words for the old constraints would not describe new ones.
            kind=self.kind or (None if self.constraints else inherited.kind),
        )


def setting(
    description: str | None = None,
    *constraints: Any,
    default: Any,
    role: Role | None = None,
    kind: str | None = None,
    saved: bool = True,
) -> Any:
    """Declare a setting in the body of a :class:`Settings` class.

    Parameters
    ----------
    description : str, optional
        What the setting does, in whole sentences; may be left out where an inherited setting is
        declared again.
    *constraints
        Allowed values, as in scikit-learn's ``_parameter_constraints``; or a class of
        :class:`Options`.
    default : object
        Immutable.  None is allowed wherever it is the default.
    role : {"networks", "input", "training", "prediction", "machine"}, default="training"
        What the setting acts on.
    kind : str, optional
        Words for the type in the documentation, where those of the constraints are too vague.
    saved : bool, default=True
        False for what belongs to this machine: None takes its place in a saved model.

    Returns
    -------
    Any
        A declaration; the class replaces it.

    Examples
    --------
    >>> class Brush(Settings):
    ...     width: int = setting("Width in pixels.", int, default=3)
    >>> Brush(width=4)
    Brush(width=4)
    """
    return Setting(default, description, constraints, role, kind, saved)


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(setting,))
class Settings(DocumentedEstimator, BaseEstimator):
    """Base of every class that declares its settings as fields."""

    _settings: ClassVar[dict[str, Setting]] = {}
    _dropped: ClassVar[dict[str, Setting]] = {}
    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, *, without: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            raise TypeError(
                f"{cls.__name__} must not define __init__: declare each of its settings as a "
                "field, `name: type = setting(...)`"
            )
        found: dict[str, Setting] = {}
        dropped: dict[str, Setting] = {}
        # Backwards, so that the nearest base has the last word.
        for base in reversed(cls.__mro__[1:]):
            found.update(vars(base).get("_settings", {}))
            dropped.update(vars(base).get("_dropped", {}))
        if unknown := set(without) - set(found):
            raise TypeError(
                f"{cls.__name__} cannot drop {sorted(unknown)}: there is no such setting"
            )
        dropped.update((name, found[name]) for name in without)
        annotations = inspect.get_annotations(cls)
        for name, value in [*vars(cls).items()]:
            if isinstance(value, Setting):
                own = replace(value, annotation=annotations.get(name, Any))
                found[name] = own.over(found.get(name))
                dropped.pop(name, None)
                delattr(cls, name)
        for name in without:
            # The class may have given the dropped setting a value of its own.
            if name not in vars(cls):
                setattr(cls, name, found[name].default)
        cls._dropped = dropped
        cls._settings = {k: v for k, v in found.items() if k not in dropped}
        cls._parameter_constraints = {
            name: [*s.constraints, *([None] if s.default is None else [])]
            for name, s in cls._settings.items()
        }
        cls.__init__ = _constructor(cls._settings)  # type: ignore[method-assign]
        cls.__init__.__qualname__ = f"{cls.__qualname__}.__init__"  # Python's errors name it
        if cls.__doc__ is not None and "{parameters}" in cls.__doc__:
            # Not with str.format, because types such as {"a", "b"} have braces, too.
            text = "\n".join(_documented(*item) for item in cls._settings.items())
            cls.__doc__ = inspect.cleandoc(cls.__doc__).replace("{parameters}", text) + "\n"

    @classmethod
    def _get_param_names(cls) -> list[str]:
        # scikit-learn's own would sort the names.
        return [*cls._settings]

    @classmethod
    def _names_by_role(cls, *roles: Role) -> list[str]:
        """Names of the settings with one of these roles; ``group__name`` in a group."""
        every = cls._single_settings()
        return [name for name, one in every.items() if (one.role or "training") in roles]

    @classmethod
    def _single_settings(cls) -> dict[str, Setting]:
        """All settings; those of a group, as ``group__name``, in the place of the group."""
        found = {}
        for name, declared in cls._settings.items():
            if declared.group is None:
                found[name] = declared
            else:
                own = declared.group._settings.items()
                found |= {f"{name}__{inner}": setting for inner, setting in own}
        return found

    def _group(self, name: str) -> Any:
        """A group of settings, or its class's defaults where it is None."""
        value = getattr(self, name)
        group = (self._settings | self._dropped)[name].group
        return group() if value is None and group is not None else value

    def _groups(self) -> Iterator[str]:
        return (name for name, s in self._settings.items() if s.group is not None)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All settings by name.

        Parameters
        ----------
        deep : bool, default=True
            Also list the settings of groups and of nested estimators, as ``outer__inner``.

        Returns
        -------
        dict of str to object
            Values by name.
        """
        params = super().get_params(deep)
        for name in self._groups() if deep else ():
            if params[name] is None:
                own = self._group(name).get_params()
                params |= {f"{name}__{inner}": value for inner, value in own.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change settings by name; ``outer__inner`` reaches into groups and estimators.

        Parameters
        ----------
        **params
            Names and values.

        Returns
        -------
        self
            The object itself.
        """
        for outer in {name.partition("__")[0] for name in params if "__" in name}:
            declared = self._settings.get(outer)
            if declared is not None and declared.group is not None:
                given = params.get(outer, getattr(self, outer))
                # A copy: other estimators may hold the same object.
                params[outer] = declared.group() if given is None else copy(given)
        return super().set_params(**params)

    def _validate_params(self) -> None:
        super()._validate_params()
        for name in self._groups():
            group = self._group(name)
            values = group.get_params(deep=False)
            # Named as in set_params, so that the message says where to look.
            validate_parameter_constraints(
                {f"{name}__{k}": v for k, v in group._parameter_constraints.items()},
                {f"{name}__{k}": v for k, v in values.items()},
                caller_name=type(self).__name__,
            )


def _constructor(settings: dict[str, Setting]) -> Any:
    """A keyword-only ``__init__`` that assigns, as scikit-learn wants it."""

    def __init__(self: Any, **given: Any) -> None:
        for name in given:
            if name not in settings:
                raise TypeError(_unknown(type(self), name))
        for name, declared in settings.items():
            setattr(self, name, given.get(name, declared.default))

    parameters = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=s.default, annotation=s.annotation
        )
        for name, s in settings.items()
    ]
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    __init__.__signature__ = inspect.Signature([me, *parameters])  # type: ignore[attr-defined]
    return __init__


def _unknown(cls: type[Settings], name: str) -> str:
    """The message about a keyword that a class does not take."""
    message = f"{cls.__name__} has no parameter {name!r}"
    last = name.rpartition("__")[2]
    for outer, declared in cls._settings.items():
        if declared.group is not None and last in declared.group._settings:
            group = declared.group.__name__
            return f"{message}; write {outer}={group}({last}=...)"
    if name in cls._dropped:
        return f"{message}: it would have no effect"
    return message + did_you_mean(name, cls._settings)


def _documented(name: str, declared: Setting) -> str:
    """The entry of a setting in a numpydoc "Parameters" section."""
    kind = declared.kind or " or ".join(map(_in_words, declared.constraints))
    wrapper = textwrap.TextWrapper(88, break_long_words=False, break_on_hyphens=False)
    wrapper.initial_indent = wrapper.subsequent_indent = "    "
    paragraphs = map(wrapper.fill, inspect.cleandoc(declared.description or "").split("\n\n"))
    head = f"{name} : {kind}, default={declared.default!r}"
    return "\n".join([head, "\n\n".join(paragraphs)]).rstrip()


def _in_words(constraint: Any) -> str:
    """What a constraint of scikit-learn allows, as numpydoc writes types."""
    if isinstance(constraint, Interval):
        number = "int" if constraint.type is Integral else "float"
        low, high = constraint.left, constraint.right
        if high is None:
            sign = ">=" if constraint.closed in ("left", "both") else ">"
            return number if low is None else f"{number} {sign} {low}"
        opening = "[" if constraint.closed in ("left", "both") else "("
        closing = "]" if constraint.closed in ("right", "both") else ")"
        return f"{number} in {opening}{low}, {high}{closing}"
    if isinstance(constraint, StrOptions):
        return "{" + ", ".join(f'"{option}"' for option in sorted(constraint.options)) + "}"
    if isinstance(constraint, HasMethods):
        return f"object with {' and '.join(sorted(constraint.methods))}"
    words = {"boolean": "bool", "verbose": "int", callable: "callable", None: "None"}
    words["random_state"] = "int, RandomState instance or None"
    return words.get(constraint) or str(getattr(constraint, "__name__", constraint))


class Options(Settings):
    """Base of a group of settings, which is the value of one setting of another class.

    Examples
    --------
    >>> class Brush(Options):
    ...     width: int = setting("Width in pixels.", int, default=3)
    >>> class Painter(Settings):
    ...     brush: Brush | None = setting("What to paint with.", Brush, default=None)
    >>> Painter().get_params()
    {'brush': None, 'brush__width': 3}
    >>> Painter().set_params(brush__width=5)
    Painter(brush=Brush(width=5))
    """
