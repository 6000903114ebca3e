"""Recipes: models by name. A recipe chooses the five parts of a model and its objective."""

from narrows.recipes.assemble import CodeTooLong, assemble, labels_of
from narrows.recipes.fields import Components, Hidden, Level, Likelihood, Network, OptionalComponents
from narrows.recipes.models import ae, dae, mapae, sae, vae
from narrows.recipes.registry import RECIPES, Parts, Recipe, available, get, register
from narrows.recipes.table import tableae
from narrows.recipes.variants import factorvae, iwae, vqvae

__all__ = [
    "RECIPES",
    "CodeTooLong",
    "Components",
    "Hidden",
    "Level",
    "Likelihood",
    "Network",
    "OptionalComponents",
    "Parts",
    "Recipe",
    "ae",
    "assemble",
    "available",
    "dae",
    "factorvae",
    "get",
    "iwae",
    "labels_of",
    "mapae",
    "register",
    "sae",
    "tableae",
    "vae",
    "vqvae",
]
