"""Darknet's layer enhancement and its reconstruction of a picture from features."""
