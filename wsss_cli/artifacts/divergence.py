"""What a manifest says of a training that diverged, and of the rates it was continued with.

``diverged`` is there until the training is continued: the value that became infinite or nan, the
iteration that showed it and the one whose state is kept. ``earlier_settings`` were in force up to
an iteration. They belong to the result: one made at two learning rates does not pass for one made
at either.
"""

from collections.abc import Collection, Mapping
from typing import Any

DIVERGED = "diverged"
EARLIER = "earlier_settings"
# The advice divides by this.
_LOWER = 10

Manifest = Mapping[str, Any]


def is_told_rightly(manifest: Manifest) -> bool:
    """Whether the manifest's entries have the right types, or are absent."""
    stop, earlier = manifest.get(DIVERGED), manifest.get(EARLIER, [])
    if stop is not None and not (
        isinstance(stop, dict)
        and isinstance(stop.get("what"), str)
        and isinstance(stop.get("iteration"), int)
        and isinstance(stop.get("kept"), int | None)
    ):
        return False
    return isinstance(earlier, list) and all(
        isinstance(before, dict) and isinstance(before.get("until"), int) for before in earlier
    )


def earlier_settings(manifest: Manifest, lowerable: Collection[str]) -> list[dict[str, Any]]:
    """The earlier settings of a continued training, in order.

    Args:
        manifest: Manifest of the training that was stopped.
        lowerable: Names of settings that may be lowered after a divergence.
    """
    earlier: list[dict[str, Any]] = list(manifest.get(EARLIER, []))
    stop = manifest.get(DIVERGED)
    if stop is None:
        return earlier
    if stop["kept"] is None:
        return []
    # Settings that made no step which is left are not in the result.
    earlier = [before for before in earlier if before["until"] <= stop["kept"]]
    if earlier and earlier[-1]["until"] == stop["kept"]:
        return earlier
    settings = {name: manifest["settings"][name] for name in lowerable}
    return [*earlier, {"until": stop["kept"], **settings}]


def lowered(manifest: Manifest, settings: Mapping[str, Any], lowerable: Collection[str]) -> bool:
    """Whether some of the settings that may be lowered are, and no other setting has changed.

    Args:
        manifest: Manifest of the training that diverged.
        settings: Now, as JSON values.
        lowerable: Names of those that may be lowered.
    """
    before = manifest["settings"]
    changed = {n for n in {*before, *settings} if before.get(n) != settings.get(n)}
    return bool(changed) and all(
        name in lowerable
        and isinstance(before.get(name), int | float)
        and isinstance(settings.get(name), int | float)
        and settings[name] < before[name]
        for name in changed
    )


def lower(setting: float) -> float:
    """A lower value to try instead."""
    return float(f"{setting / _LOWER:.3g}")


def advice(manifest: Manifest, lowerable: Collection[str], state: str) -> str:
    """Advice on how to continue.

    Args:
        manifest: It says that the training diverged.
        lowerable: Names of the settings that may be lowered.
        state: The file of the state to continue from.
    """
    stop, settings = manifest[DIVERGED], manifest["settings"]
    rates = {name: settings.get(name) for name in lowerable}
    numbers = {name: rate for name, rate in rates.items() if isinstance(rate, int | float)}
    options = " or ".join(f"--{name}" for name in lowerable)
    such_as = " ".join(f"--{name} {lower(rate):g}" for name, rate in numbers.items())
    if stop["kept"] is None:
        return (
            "nothing was kept yet from which to go on well; train again with a lower "
            f"{options}, such as {such_as}"
        )
    again = any(before["until"] == stop["kept"] for before in manifest.get(EARLIER, []))
    return (
        f"iteration {stop['kept']} is kept in {state}: run the same command with a lower "
        f"{options}, such as {such_as}, to go on from there"
        + (", or start anew with --overwrite" if again else "")
    )
