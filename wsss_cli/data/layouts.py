"""Finds the data set to which ``--data`` points, whatever its layout."""

from collections import Counter
from pathlib import Path

from wsss_cli.configs.layouts import LAYOUTS
from wsss_cli.data import class_folders, csv_labels
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.pictures import survey
from wsss_cli.errors import UsageError, WsssError, listing

# Levels of folders that a data set may lie below the folder that ``--data`` names.
_LEVELS = 2


def find_data_set(path: Path, option: str = "--data") -> DataSet:
    """Find the data set in a folder or file.

    Args:
        path: The folder or file.
        option: The option that names it, for the message.

    Raises:
        UsageError: No layout recognises it.
        WsssError: A layout recognises it, but cannot read it.
    """
    resolved = path.resolve()
    if resolved.is_dir():
        return _in_folder(resolved) or _in_subfolders(path, resolved, option)
    suffix = resolved.suffix.lower()
    layout = next((layout for layout in LAYOUTS if suffix in layout.suffixes), None)
    if layout is None or not resolved.is_file():
        reason = "is no data set" if resolved.exists() else "does not exist"
        raise UsageError(f"{option} {path}: it {reason}; `wsss data --help` lists what it may be")
    data_set: DataSet = layout.load().read(resolved)
    return data_set


def _in_folder(folder: Path) -> DataSet | None:
    """The data set of a folder, None where no layout recognises it."""
    for layout in LAYOUTS:
        if not layout.folder:
            continue
        try:
            data_set: DataSet | None = layout.load().find(folder)
        except csv_labels.NoLabelTableError as error:
            # Class folders may lie beside a CSV of something else.
            table = None if csv_labels.has_usual_name(folder) else class_folders.find(folder)
            if table is None:
                raise
            return table.with_remark(f"labels are those of the folders, not of a table: {error}")
        if data_set is not None:
            return data_set
    return None


def _in_subfolders(path: Path, resolved: Path, option: str) -> DataSet:
    """The only data set in a folder's folders: archives unpack into one folder, or two.

    Args:
        path: The folder as the command line names it.
        resolved: The same with links followed.
        option: The option that names it, for the message.

    Raises:
        UsageError: There is no data set, or several.
    """
    level, reasons = [resolved], list[str]()
    for _ in range(_LEVELS):
        if reasons:
            break
        level = [subfolder for folder in level for subfolder in _subfolders(folder)]
        data_sets = {}
        for folder in level:
            try:
                data_set = _in_folder(folder)
            except WsssError as error:
                reasons.append(str(error))
                continue
            if data_set is not None and data_set.pictures():
                data_sets[folder.relative_to(resolved)] = data_set
        if len(data_sets) > 1:
            raise UsageError(
                f"{option} {path} contains several data sets: {listing(list(map(str, data_sets)))};"
                f" name one of them, such as {option} {path / next(iter(data_sets))}"
            )
        for subfolder, data_set in data_sets.items():
            return data_set.with_remark(f"the data set lies in {subfolder}")
    raise UsageError(f"{option} {path}: {_no_layout(resolved)}{'; '.join(['', *reasons[:1]])}")


def _subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, without hidden ones; none where it cannot be read."""
    try:
        return sorted(
            path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
    except OSError:
        return []


def _no_layout(folder: Path) -> str:
    """Say what was looked for in a folder, and what it contains instead."""
    contents = survey(folder)
    endings = sum(contents.unread.values(), Counter[str]())
    counts = [f"{len(contents.pictures):,} pictures"] if contents.pictures else []
    counts += [f"{count:,} {ending}" for ending, count in endings.most_common(5)]
    hints = f"; it contains {', '.join(counts)}" if counts else ""
    if any((folder.parent / name).is_dir() for name in ("JPEGImages", "annotations")):
        hints += f"; {folder.parent} above it looks like a data set: use that"
    if next((folder / "labels").rglob("*.txt"), None) is not None:
        hints += "; YOLO's labels/*.txt are not read: write a CSV of image,labels"
    looked_for = [layout.folder for layout in LAYOUTS if layout.folder]
    return (
        f"it has no known layout, since it contains none of these: {', '.join(looked_for)}{hints}"
    )
