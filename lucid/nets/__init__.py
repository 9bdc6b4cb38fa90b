"""Classifiers as functions of images, behind one interface."""
