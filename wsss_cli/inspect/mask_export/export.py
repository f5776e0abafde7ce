"""``wsss export``: checks everything, then lets the format's module write."""

import shutil
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from wsss_cli.artifacts.atomic import partial_name, require_free
from wsss_cli.configs.export import ExportConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.label_folder import png_ids
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.inspect.mask_export.label_maps import LabelMaps
from wsss_cli.stages.label_map_check import recorded_classes, require_recorded_classes
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track


def run(config: ExportConfig, *, track: Track) -> Report:
    """Write label maps in the format of another tool.

    Raises:
        UsageError: Something lies there, or the class names are not known.
        WsssError: A label map or photograph is missing or broken.
    """
    started = time.monotonic()
    image_ids = png_ids(config.masks, "MASKS")
    _require_free(config)
    data_set = None if config.data is None else find_data_set(config.data, "--data")
    if data_set is None and config.chosen.copies_photographs:
        raise UsageError(
            f"--to {config.to} has the photographs beside the masks; pass --data, the data set"
        )
    if data_set is not None:
        require_recorded_classes(config.masks, "MASKS", data_set.class_names, data_set.root)
    partial = partial_name(config.out)
    maps = LabelMaps(
        replace(config, out=partial),
        {image_id: config.masks / f"{image_id}.png" for image_id in image_ids},
        data_set.class_names if data_set is not None else _recorded_names(config.masks),
        {} if data_set is None else _photographs(data_set, image_ids),
    )
    try:
        import_module(f"wsss_cli.inspect.mask_export.{config.chosen.module}").write(maps, track)
        if not maps.regions:
            raise WsssError(
                f"MASKS {config.masks}: none of the {len(image_ids):,} label maps shows a class; "
                "give a folder with something to export"
            )
        if config.chosen.is_folder and config.out.exists():
            _replace_folder(config.out, partial)
        else:
            partial.replace(config.out)
    except BaseException:
        _remove(partial)
        raise
    if maps.ignored:
        track.note(f"{maps.ignored:,} pixels to be ignored (255) {config.chosen.ignored}")
    values = {
        "to": config.to,
        "out": str(config.out),
        "images": len(image_ids),
        "regions": maps.regions,
        "ignored": maps.ignored,
        "class_names": list(maps.class_names),
        "seconds": round(time.monotonic() - started, 2),
    }
    return Report("export", config.out, False, values)


def _require_free(config: ExportConfig) -> None:
    """Refuse to write where something is already.

    Raises:
        UsageError: It exists and is to stay, or holds what is to be read; an empty folder is fine
            for a format that is a folder.
    """
    out = config.out
    if not config.chosen.is_folder:
        require_free(out, "--out", overwrite=config.overwrite)
        return
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file, and --to {config.to} writes a folder; name one")
    for source in filter(None, (config.masks, config.data)):
        if source.resolve().is_relative_to(out.resolve()):
            raise UsageError(f"--out {out} holds {source}, which is to be read; choose another")
    if out.exists() and any(out.iterdir()) and not config.overwrite:
        raise UsageError(
            f"--out {out} is not empty; pass --overwrite to replace an export, or name another "
            "folder"
        )


def _replace_folder(out: Path, new: Path) -> None:
    """Put an export in the place of another one.

    Raises:
        UsageError: Something lies there that the new one does not have, so it would be lost.
    """
    lost = {path.name for path in out.iterdir()} - {path.name for path in new.iterdir()}
    if lost:
        raise UsageError(
            f"--overwrite would remove {listing(sorted(lost))} from {out}, which this export does "
            "not write; move them away, or name another folder"
        )
    old = partial_name(out.with_name(f"{out.name}.old"))
    out.rename(old)
    new.rename(out)
    shutil.rmtree(old)


def _remove(path: Path) -> None:
    """Remove what an export that failed has written so far."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _recorded_names(masks: Path) -> tuple[str, ...]:
    """The class names that the stage recorded whose label maps these are.

    Raises:
        UsageError: No stage made them, or it did not know the names.
    """
    names = recorded_classes(masks)
    if not names:
        raise UsageError(
            f"MASKS {masks} is not the folder of a run that recorded class names; pass --data, the "
            "data set that has them"
        )
    return names


def _photographs(data_set: DataSet, image_ids: list[str]) -> dict[str, Path]:
    """The photograph of each label map.

    Raises:
        WsssError: The data set has no photograph of that id.
    """
    paths = {image_id: data_set.image_path(image_id) for image_id in image_ids}
    missing = [image_id for image_id, path in paths.items() if not path.is_file()]
    if missing:
        raise WsssError(
            f"--data {data_set.root} has no photograph of {len(missing)} of {len(paths)} label "
            f"maps: {listing(missing)}; give the data set that they are of"
        )
    return paths
