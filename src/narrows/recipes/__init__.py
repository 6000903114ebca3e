"""Recipes: models by name. A recipe chooses the five parts of a model and its objective.

A module of recipes registers them when it is imported here. `get(name).make` is the function of any recipe.
"""

from narrows.recipes import discrete, perceptual, presets, regularized, selection, visual
from narrows.recipes.assemble import assemble, label_terms, labels_of
from narrows.recipes.discrete import vqvae
from narrows.recipes.fields import (
    Components,
    Conditional,
    Hidden,
    LabelWeight,
    Level,
    Likelihood,
    Network,
    OptionalComponents,
    Start,
)
from narrows.recipes.geometry import hvae, poincarevae, svae
from narrows.recipes.models import ae, dae, mapae, sae, vae
from narrows.recipes.presets import iwae
from narrows.recipes.registry import PURPOSES, RECIPES, Parts, Recipe, available, get, preset, register
from narrows.recipes.regularized import factorvae
from narrows.recipes.table import tableae

__all__ = [
    "PURPOSES",
    "RECIPES",
    "Components",
    "Conditional",
    "Hidden",
    "LabelWeight",
    "Level",
    "Likelihood",
    "Network",
    "OptionalComponents",
    "Parts",
    "Recipe",
    "Start",
    "ae",
    "assemble",
    "available",
    "dae",
    "discrete",
    "factorvae",
    "get",
    "hvae",
    "iwae",
    "label_terms",
    "labels_of",
    "mapae",
    "perceptual",
    "poincarevae",
    "preset",
    "presets",
    "register",
    "regularized",
    "sae",
    "selection",
    "svae",
    "tableae",
    "vae",
    "visual",
    "vqvae",
]
