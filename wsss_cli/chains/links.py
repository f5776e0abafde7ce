"""What chains of stages share: the way out of a wrong result, and a note on a divergence."""

from collections.abc import Iterator
from contextlib import contextmanager

from wsss_cli.errors import DivergenceError

WAY_OUT = "choose another --out, or remove that run's folder"


@contextmanager
def naming_rate(setting: str) -> Iterator[None]:
    """Say of a training within that diverges where its learning rate stands.

    Args:
        setting: The learning rate as the chain's file calls it.
    """
    try:
        yield
    except DivergenceError as error:
        error.add_note(f"in the TOML file that is {setting}")
        raise
