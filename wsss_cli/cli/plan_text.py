"""What a dry run and ``--verbose`` say of a plan, for people."""

from collections.abc import Mapping, Set
from typing import Any

from wsss_cli.cli.progress import duration
from wsss_cli.cli.render import size_text
from wsss_cli.configs.common import WorkConfig
from wsss_cli.configs.setting import Role, names_with_role

# How the result stands, in words.
_FOUND = {
    "new": "not there yet",
    "resumable": "unfinished, goes on from where it was stopped",
    "complete": "complete, nothing is left to do",
}
# What says how the command works, not what it makes; the device that is used is told.
_OF_THE_COMMAND = frozenset({"workers", "amp", "overwrite", "checkpoint_every"})


def plan_text(plan: Mapping[str, Any], config: WorkConfig) -> str:
    """A line for each setting that matters here, then what is there and what it will take."""
    others = {field.name for field, _ in config.of_others()}
    unused = config.idle() | others | _OF_THE_COMMAND | _not_asked_for(config)
    rows = {
        name.replace("_", " "): _value(value)
        for name, value in plan.items()
        if name not in unused and name not in ("found", "estimate") and value not in (None, {}, [])
    }
    if "found" in plan:
        rows["result"] = _FOUND.get(plan["found"], plan["found"])
    if "estimate" in plan:
        rows["takes"] = takes_text(plan["estimate"])
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows.items())


def _not_asked_for(config: WorkConfig) -> Set[str]:
    return {n for n in names_with_role(type(config), Role.EXTRA) if not getattr(config, n)}


def _value(value: Any) -> str:  # noqa: ANN401 - JSON values
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_value(v)}" for name, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "none"
    return str(value)


def takes_text(estimate: Mapping[str, Any]) -> str:
    """What an estimate says, for people."""
    seconds = estimate["seconds"]
    time = "an unknown time" if seconds is None else duration(seconds)
    disk, memory = (size_text(estimate[name]) for name in ("bytes_on_disk", "memory_bytes"))
    return f"about {time}, {disk} on disk, {memory} of memory, if nothing else runs here"
