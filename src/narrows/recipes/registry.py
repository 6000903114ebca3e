"""The registry of recipes: models by name, from narrows and from installed packages.

A recipe is a function (schema, n_components, hyperparameters) -> Parts. The estimators, the command line and the saved
recipe.json read the names, defaults, rules and help of the hyperparameters from its signature.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, overload

from narrows.data import Schema
from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.params import Parameter, did_you_mean, parameters
from narrows.recipes.sizes import decide_sizes
from narrows.training import Choice, Pace

PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "features": "Fewer numbers that keep the most",
        "generate": "New examples",
        "likelihood": "A tighter bound, or a more flexible distribution of the codes",
        "disentangle": "Independent components",
        "discrete": "Codes of whole numbers",
        "geometry": "Codes on a sphere, in a ball, or along the data",
        "sparse": "Dictionaries of sparse units",
        "select": "Choice of columns",
        "denoise": "Clean data from noisy data",
        "map": "A map in two dimensions",
        "table": "Tables with gaps",
        "": "Others",
    }
)
_PLAIN = ("ae", "vae", "iwae", "betavae", "vqvae", "svae")  # of which the others of their purposes are variants


class Parts(NamedTuple):
    """The result of a recipe: the model, the objective, and the choices that the recipe made.

    `decided` holds the values of parameters that were "auto" and that a model needs to be built again.
    """

    model: Autoencoder
    objective: Objective
    choices: tuple[Choice, ...]
    decided: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Recipe:
    """A registered recipe.

    Attributes
    ----------
    name : its name.
    make : its function.
    allows_gaps : True if its models take examples with missing entries (NaN).
    is_tabular : True if its models take rows of a table only, whose columns of numbers have bins.
    pace : length of the training where the user leaves it open; None for the common one.
    purpose : key of `PURPOSES`, under which it is listed.
    is_visual : True if its models take images only.
    is_layered : True if rows with two axes are activations of several layers (layers x width), not images.
    fixed : values of the parameters of another recipe that a preset of it does not have.
    """

    name: str
    make: Callable[..., Parts]
    allows_gaps: bool = True
    is_tabular: bool = False
    pace: Pace | None = None
    purpose: str = ""
    is_visual: bool = False
    is_layered: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.make) or "").split("\n")[0]

    @property
    def paper(self) -> str:
        """The first paragraph of the function's docstring, after the summary, that has a link; empty without one."""
        _, *paragraphs = (inspect.getdoc(self.make) or "").split("\n\n")
        return next((" ".join(text.split()) for text in paragraphs if "https://" in text), "")

    @property
    def is_own(self) -> bool:
        """True for a recipe that is part of narrows, False for a recipe of a user or of another package."""
        return self.make.__module__.partition(".")[0] == "narrows"

    @functools.cached_property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters except the schema, by name, `n_components` first."""
        return parameters(self.make)

    def build(
        self, schema: Schema, *, n_rows: int | None = None, max_time: float | None = None, **values: Any
    ) -> Parts:
        """Return the parts for `schema` and the values of the parameters.

        Parameters
        ----------
        n_rows : number of training rows, which the size of the networks follows; None if it is not known.
        max_time : time limit of the training in seconds, or None.

        Raises
        ------
        TypeError
            If the recipe does not return Parts.
        ValueError
            If the values do not fit each other or the data.
        """
        decided, choices = decide_sizes(schema, values, n_rows, max_time)
        parts = self.make(schema, **{**values, **decided})
        if not isinstance(parts, Parts):
            raise TypeError(
                f"The recipe {self.name!r} of {self.make.__module__} must return the Parts that `assemble` gives. Got "
                f"{type(parts).__name__} instead."
            )
        others = [choice for choice in parts.choices if choice.name not in decided]
        return parts._replace(choices=(*choices, *others), decided=decided)


RECIPES: dict[str, Recipe] = {}
ENTRY_POINTS = "narrows.recipes"  # the entry-point group where other packages list their recipes

_Make = TypeVar("_Make", bound=Callable[..., Parts])


@overload
def register(make: _Make) -> _Make: ...
@overload
def register(
    *,
    allows_gaps: bool = True,
    is_tabular: bool = False,
    pace: Pace | None = None,
    purpose: str = "",
    is_visual: bool = False,
    is_layered: bool = False,
) -> Callable[[_Make], _Make]: ...
def register(
    make: _Make | None = None,
    *,
    allows_gaps: bool = True,
    is_tabular: bool = False,
    pace: Pace | None = None,
    purpose: str = "",
    is_visual: bool = False,
    is_layered: bool = False,
) -> _Make | Callable[[_Make], _Make]:
    """Add a recipe to the registry, under its function's name, and return the function.

    Parameters
    ----------
    make : the function; None to use `register(allows_gaps=False)` as a decorator.
    allows_gaps : False if the recipe's own encoder or likelihood cannot take missing entries (NaN). The networks of
        narrows and the modules that `assemble` wraps can.
    is_tabular : True if its models take rows of a table only: arrays are tables then, too, and `Column.bins` is set. A
        parameter `n_bins` of the recipe is the number of bins.
    pace : length of the training where the user leaves it open; None for the common one.
    purpose : key of `PURPOSES`, under which `narrows recipes` lists it.
    is_visual : True if its models take images only.
    is_layered : True if rows with two axes are activations of several layers (layers x width), not images. Those of
        one layer have one axis.

    Raises
    ------
    ValueError
        If another module has registered a recipe with that name, a parameter has no default, `n_components` is
        missing, or the purpose is unknown.
    """
    if make is None:
        return functools.partial(
            register,
            allows_gaps=allows_gaps,
            is_tabular=is_tabular,
            pace=pace,
            purpose=purpose,
            is_visual=is_visual,
            is_layered=is_layered,
        )
    if purpose not in PURPOSES:
        raise ValueError(
            f"Unknown purpose {purpose!r} of the recipe. {did_you_mean(purpose, [*filter(None, PURPOSES)])}"
        )
    _check_signature(make)
    name, known = make.__name__, RECIPES.get(make.__name__)
    if known is not None and known.make.__module__ != make.__module__:
        raise ValueError(
            f"The recipe {name!r} of {make.__module__} has the same name as a recipe of {known.make.__module__}. "
            "Rename it."
        )
    RECIPES[name] = Recipe(name, make, allows_gaps, is_tabular, pace, purpose, is_visual, is_layered)
    return make


def preset(
    base: Callable[..., Parts],
    *,
    purpose: str,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    fixed: Mapping[str, Any] = MappingProxyType({}),
    without: Collection[str] = (),
    is_layered: bool = False,
) -> Callable[[Callable[[], None]], Callable[..., Parts]]:
    """Return a decorator that registers a recipe as another recipe with other values.

    The decorated function has the name and the docstring, and nothing else.

    Parameters
    ----------
    base : the other recipe's function, which must be registered.
    purpose : key of `PURPOSES`.
    defaults : default values that differ from those of `base`.
    fixed : values that cannot be changed. These parameters are no parameters of the new recipe.
    without : further parameters that the new recipe does not have; they keep the defaults of `base`.
    is_layered : True if it takes activations of several layers (n, layers, width), where `base` does not.

    Raises
    ------
    ValueError
        If `base` has no such parameter, or its rule does not accept a value.

    Examples
    --------
    >>> from narrows import estimator  # `betavae` is a preset of `vae`
    >>> estimator("betavae")().beta
    4.0
    """
    if base.__name__ not in RECIPES:
        raise ValueError(f"The recipe {base.__name__!r} must be registered before a preset of it.")
    recipe = RECIPES[base.__name__]

    def decorate(declared: Callable[[], None]) -> Callable[..., Parts]:
        values = {**defaults, **fixed}
        for name in (*values, *without):
            if name not in recipe.parameters:
                raise ValueError(
                    f"Unknown parameter {name!r} of {base.__name__}. {did_you_mean(name, recipe.parameters)}"
                )
        for name, value in values.items():
            recipe.parameters[name].check(declared.__name__, value)

        signature = inspect.signature(base)
        kept = [
            p.replace(default=defaults.get(name, p.default))
            for name, p in signature.parameters.items()
            if name not in fixed and name not in without
        ]
        signature = signature.replace(parameters=kept)

        @functools.wraps(base)
        def make(*positional: Any, **values: Any) -> Parts:
            return base(**{**defaults, **signature.bind(*positional, **values).arguments, **fixed})

        make.__name__, make.__doc__, make.__module__ = declared.__name__, declared.__doc__, declared.__module__
        make.__signature__ = signature  # type: ignore[attr-defined]
        decorator = register(
            allows_gaps=recipe.allows_gaps,
            is_tabular=recipe.is_tabular,
            pace=recipe.pace,
            purpose=purpose,
            is_visual=recipe.is_visual,
            is_layered=is_layered or recipe.is_layered,
        )
        decorator(make)
        kept_defaults = {name: inspect.signature(base).parameters[name].default for name in without}
        RECIPES[make.__name__] = replace(RECIPES[make.__name__], fixed={**kept_defaults, **fixed})
        return make

    return decorate


def _check_signature(make: Callable[..., Parts]) -> None:
    """Raise ValueError unless `make` takes a schema, `n_components` and parameters with defaults."""
    _, *rest = inspect.signature(make).parameters.values()
    required = [p.name for p in rest if p.default is p.empty]
    if required or "n_components" not in [p.name for p in rest]:
        raise ValueError(
            f"The recipe {make.__name__!r} of {make.__module__} must take a schema, `n_components` and its own "
            f"parameters, all with a default except the schema. Got {inspect.signature(make)} instead."
        )


def get(name: str) -> Recipe:
    """Return the recipe called `name`, from narrows or from an installed package.

    Raises
    ------
    ValueError
        If there is no such recipe.
    """
    if name not in RECIPES:
        _load_installed()
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe {name!r}. {did_you_mean(name, RECIPES)}")
    return RECIPES[name]


def available() -> dict[str, Recipe]:
    """Return all recipes by name: from narrows, from installed packages, and from the user.

    They are in the order of their purposes, the plain one of each purpose first, and the others by name.
    """
    _load_installed()
    purposes = list(PURPOSES)
    listed = sorted(RECIPES.values(), key=lambda r: (purposes.index(r.purpose), r.name not in _PLAIN, r.name))
    return {recipe.name: recipe for recipe in listed}


@functools.cache
def _load_installed() -> None:
    """Register the recipes of installed packages, once per process. Warn of each that cannot be loaded."""
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            make = entry.load()
            if make.__name__ != entry.name:
                raise ValueError(
                    f"its function is called {make.__name__!r}, and the entry point must have the same name"
                )
            if make not in [recipe.make for recipe in RECIPES.values()]:
                register(make)
        except Exception as error:  # an import may raise anything; the other recipes must still work
            package = entry.dist.name if entry.dist else "an installed package"
            warnings.warn(
                f"The recipe {entry.name!r} of {package} cannot be used: loading {entry.value} raised {error!r}. "
                "Update or remove that package.",
                stacklevel=3,
            )
