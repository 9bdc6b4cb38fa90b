"""lucid: the toolkit for when you want a neural net to dream."""

__version__ = "0.1.0"
