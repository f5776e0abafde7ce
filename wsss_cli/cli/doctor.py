"""``wsss doctor``."""

from collections.abc import Mapping
from typing import Any

from typer import Exit

from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.run_command import show
from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.doctor import DoctorConfig


@config_command(DoctorConfig)
def doctor(
    config: DoctorConfig, *, json: options.Json = False, debug: options.Debug = False
) -> None:
    """Run ``wsss doctor``."""
    del debug
    from wsss_cli.inspect import doctor as machine

    report = machine.run(CommonConfig(data=config.data, run=config.run))
    show(report.values, _text, as_json=json)
    if not report.values["usable"]:
        raise Exit(1)


def _text(values: Mapping[str, Any]) -> str:
    rows = {
        "libraries": ", ".join(f"{k} {v or 'missing'}" for k, v in values["versions"].items()),
        "device": _device(values),
        "threads": _threads(values["threads"]),
        "memory": f"{_bytes(values['memory']['available'])} of "
        f"{_bytes(values['memory']['total'])} left",
        "disk": f"{_bytes(values['disk']['free'])} free at {values['disk']['place']} "
        f"({values['disk']['file_system'] or 'unknown file system'})",
    }
    if values["disk"]["features"]:
        rows["kept"] = (
            f"{_bytes(values['disk']['features'])} of features, from which a stopped training goes "
            "on; they go when it is done"
        )
    if "weights" in values:
        weights = values["weights"]
        rows["weights"] = f"{weights['file']}, {weights['size']}: {weights['state']}"
        if weights["WSSS_WEIGHTS"]:
            rows["weights"] += f"; WSSS_WEIGHTS={weights['WSSS_WEIGHTS']} comes first"
    if values.get("writes"):
        writes = values["writes"]
        negatives = f" ({writes['negatives']:,} negatives)" if writes["negatives"] else ""
        rows["will write"] = (
            f"about {_bytes(writes['total'])} for {writes['images']:,} training images"
            f"{negatives}: attention {_bytes(writes['attention'])}, "
            f"networks {_bytes(writes['networks'])}, label maps {_bytes(writes['label_maps'])}; "
            f"with train --preset quick {_bytes(writes['features'])} more while it learns"
        )
    width = max(map(len, rows))
    lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
    for title, name in (("slow here:", "slow"), ("unusable:", "unusable")):
        if values[name]:
            lines += ["", title, *(f"  {sentence}" for sentence in values[name])]
    return "\n".join(lines)


def _device(values: Mapping[str, Any]) -> str:
    cuda = values["cuda"]
    cards = [] if cuda is None else cuda["cards"]
    named = ", ".join(f"{card['name']} ({_bytes(card['memory'])})" for card in cards)
    precision = f", computes in {values['precision']}" if "precision" in values else ""
    return (named or "CPU") + precision


def _threads(threads: Mapping[str, Any]) -> str:
    quota = threads["quota"]
    granted = "" if quota is None else f", granted the time of {quota:g}"
    omp = threads["omp_num_threads"]
    return (
        f"{threads['cores']} cores{granted}; torch {threads['torch']}, OpenCV {threads['opencv']}, "
        f"OMP_NUM_THREADS {'not set' if omp is None else omp}"
    )


def _bytes(count: int | None) -> str:
    if count is None:
        return "unknown"
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
