"""Darknet's cfg and weights files as nets."""
