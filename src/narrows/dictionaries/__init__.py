"""Sparse dictionaries of other programs: SAELens, sparsify, dictionary_learning, OpenAI, Gemma Scope, Llama Scope."""

from narrows.dictionaries.loading import load_dictionary, read_dictionary, save_dictionary
from narrows.dictionaries.record import SparseDictionary

__all__ = ["SparseDictionary", "load_dictionary", "read_dictionary", "save_dictionary"]
