"""Chains of stages: what would otherwise be a shell script."""
