"""Visiongate: computer vision on your own machine, behind one secure API."""

__version__ = "0.1.0"
