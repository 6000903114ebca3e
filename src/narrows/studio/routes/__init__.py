"""The addresses under /api, one file an idea."""
