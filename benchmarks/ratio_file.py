"""Measured ratios as a file: JSON, with what they were measured on and when."""

from dataclasses import asdict, dataclass
from math import nan
from pathlib import Path

from ratios import Ratio

from wsss_cli.artifacts.atomic import read_json, write_json
from wsss_cli.errors import WsssError


@dataclass(frozen=True)
class Measured:
    """What a run of the benchmarks leaves behind.

    Attributes:
        date: ISO 8601, in UTC.
        machine: As :func:`ratios.machine` describes it.
        versions: By package; only those that are installed.
        rows: In the order of the table.
    """

    date: str
    machine: str
    versions: dict[str, str]
    rows: list[Ratio]


def write(path: Path, measured: Measured) -> None:
    """Write the file; a row without value has null."""
    write_json(path, asdict(measured))


def read(path: Path) -> Measured:
    """Read what :func:`write` wrote.

    Raises:
        WsssError: The file is missing, or something else.
    """
    try:
        content = read_json(path)
        rows = [Ratio(**row) for row in content.pop("rows")]
        whole = [Ratio(**{**asdict(r), "value": nan}) if r.value is None else r for r in rows]
        return Measured(rows=whole, **content)
    except FileNotFoundError:
        raise WsssError(f"{path} is not there; make it with benchmarks/all_ratios.py") from None
    except (KeyError, TypeError) as error:
        raise WsssError(
            f"{path} is no file of ratios ({error}); make one with benchmarks/all_ratios.py"
        ) from error
