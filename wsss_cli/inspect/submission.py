"""``wsss check``: checks an archive before it is sent to PASCAL VOC's evaluation server."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from wsss_cli.artifacts.label_png import odd_label_map
from wsss_cli.artifacts.submission import FOLDER, read_submission
from wsss_cli.configs.check import CheckConfig
from wsss_cli.configs.common import CommonConfig
from wsss_cli.data.images import check_images
from wsss_cli.errors import listing
from wsss_cli.stages.inputs import find_data
from wsss_cli.stages.result import Report


def run(config: CheckConfig) -> Report:
    """Compare an archive of label maps with the list of images that it should hold.

    Args:
        config: Says where the data set is; its annotations and masks are not read.

    Returns:
        Whether the archive is valid, and a sentence for every kind of problem.

    Raises:
        WsssError: The archive or the data set cannot be read.
    """
    archive = config.file
    data_set = find_data(CommonConfig(data=config.data, run=config.run))
    image_ids = data_set.image_ids(config.split)
    sizes = check_images(map(data_set.image_path, image_ids))
    problems_by_kind = _offenders(
        archive, dict(zip(image_ids, sizes, strict=True)), len(data_set.class_names)
    )
    problems = [f"{kind}: {listing(names)}" for kind, names in problems_by_kind.items() if names]
    return Report(
        "check",
        None,
        False,
        {
            "archive": str(archive),
            "split": config.split,
            "images": len(image_ids),
            "valid": not problems,
            "problems": problems,
        },
    )


def _offenders(
    archive: Path, sizes: Mapping[str, tuple[int, int]], num_classes: int
) -> dict[str, list[str]]:
    """The names that have each kind of problem.

    Args:
        archive: To look at.
        sizes: (H, W) of every image.
        num_classes: The largest label.
    """
    names_by_problem: dict[str, list[str]] = {}
    times: Counter[str] = Counter()
    for entry in read_submission(archive):
        image_id, offender = entry.image_id, entry.name
        if entry.escapes:
            problem = "entries that lead out of the archive; pack with relative names"
        elif entry.is_folder:
            continue
        elif entry.content is None:
            problem = (
                "entries that are no plain files, or are far too large; pack the PNGs themselves"
            )
        elif image_id is None:
            problem = f"files elsewhere than {FOLDER}/ID.png"
        elif image_id not in sizes:
            problem = "files of images that are not on the list"
        else:
            offender = image_id
            times[image_id] += 1
            odd = odd_label_map(entry.content, sizes[image_id], num_classes)
            if odd is None:
                continue
            problem = odd
        names_by_problem.setdefault(problem, []).append(offender)
    missing = [image_id for image_id in sizes if not times[image_id]]
    repeated = [image_id for image_id, count in times.items() if count > 1]
    return {
        **names_by_problem,
        "images that are on the list but have no label map": missing,
        "images that are there more than once": repeated,
    }
