"""Stands in for the package that Colab has, as far as the notebooks use it."""
