"""Compare new ratios with kept ones: what became worse, and what was not measured any more.

    python benchmarks/guard.py benchmarks/ratios.json new.json --tolerance 0.15

Both files are of ``all_ratios.py``. A row is worse if its ratio moved in the wrong direction by
more than the tolerance, a share of the kept one. Exit 1 if a row is worse or missing.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path

from ratio_file import Measured, read
from ratios import Ratio

from wsss_cli.errors import WsssError


def main() -> int:
    """Read the arguments, compare, print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kept", type=Path, help="file of the ratios to compare with")
    parser.add_argument("new", type=Path, help="file of the new ones")
    parser.add_argument("--tolerance", type=float, default=0.15, help="share of the kept ratio")
    args = parser.parse_args()
    try:
        kept, new = read(args.kept), read(args.new)
    except WsssError as error:
        parser.error(str(error))
    for difference in _other_circumstances(kept, new):
        print(difference)
    found = list(complaints(kept.rows, new.rows, args.tolerance))
    for complaint in found:
        print(complaint)
    print(
        f"{len(found)} of {len(kept.rows)} rows worse by more than {args.tolerance:.0%} or missing"
    )
    return 1 if found else 0


def complaints(kept: Sequence[Ratio], new: Sequence[Ratio], tolerance: float) -> Iterator[str]:
    """A sentence for every kept row that is worse or missing now."""
    now = {(row.what, row.against): row for row in new}
    for before in kept:
        if isnan(before.value):
            continue  # never measured, so it cannot be worse
        name = f"{before.what} / {before.against}"
        after = now.get((before.what, before.against))
        if after is None:
            yield f"missing: {name}"
        elif isnan(after.value):
            yield f"missing: {name}: {after.missing}"
        elif _is_worse(before, after.value, tolerance):
            yield f"worse: {name}: {before.value:.2f}, now {after.value:.2f}"


def _is_worse(before: Ratio, value: float, tolerance: float) -> bool:
    if before.higher:
        return value < before.value * (1 - tolerance)
    return value > before.value * (1 + tolerance)


def _other_circumstances(kept: Measured, new: Measured) -> Iterator[str]:
    """What else differs, so that a reader knows how much a comparison says."""
    if kept.machine != new.machine:
        yield f"another machine: {kept.machine}; now {new.machine}"
    for package in sorted(kept.versions.keys() | new.versions.keys()):
        before, after = kept.versions.get(package, "none"), new.versions.get(package, "none")
        if before != after:
            yield f"another version: {package} {before}, now {after}"


if __name__ == "__main__":
    sys.exit(main())
