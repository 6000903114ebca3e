"""Recipes: models by name. A recipe chooses the five parts of a model and its objective."""

from narrows.recipes.assemble import CodeTooLong, assemble, label_terms, labels_of
from narrows.recipes.fields import (
    Components,
    Conditional,
    Hidden,
    LabelWeight,
    Level,
    Likelihood,
    Network,
    OptionalComponents,
)
from narrows.recipes.geometry import hvae, poincarevae, svae
from narrows.recipes.models import ae, dae, mapae, sae, vae
from narrows.recipes.presets import betavae
from narrows.recipes.registry import PURPOSES, RECIPES, Parts, Recipe, available, get, preset, register
from narrows.recipes.table import tableae
from narrows.recipes.variants import factorvae, iwae, vqvae

__all__ = [
    "PURPOSES",
    "RECIPES",
    "CodeTooLong",
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
    "ae",
    "assemble",
    "available",
    "betavae",
    "dae",
    "factorvae",
    "get",
    "hvae",
    "iwae",
    "label_terms",
    "labels_of",
    "mapae",
    "poincarevae",
    "preset",
    "register",
    "sae",
    "svae",
    "tableae",
    "vae",
    "vqvae",
]
