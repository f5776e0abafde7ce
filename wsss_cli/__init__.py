"""Weakly supervised semantic segmentation from the command line, built around SeeNet.

The stages are functions as well: ``wsss_cli.train(data="VOC2012", iterations=2000)``.
"""

from collections.abc import Callable
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Callable[..., Any]:
    """A stage as a function; what it needs is imported when it is asked for."""
    if not name.startswith("_"):
        from wsss_cli.configs.stages import CHAIN

        if name in CHAIN:  # not asked of the functions: this is called for every submodule, too
            from wsss_cli.api import FUNCTIONS

            return FUNCTIONS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from wsss_cli.configs.stages import CHAIN

    return sorted([*globals(), *CHAIN])
