"""Attention systems, one paper a file; siblings never import each other."""
