"""Weakly supervised semantic segmentation from the command line, built around SeeNet."""

__version__ = "0.1.0"
