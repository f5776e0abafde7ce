"""Rounds: each segmentation network labels the training images for the next one.

Every stage leaves out what is complete and resumes what is not; so do the rounds, which keep
nothing of their own but the table. Scores take seconds and are always made of what is on disk.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.atomic import write_bytes, write_json
from wsss_cli.chains.comparison_page import interval_text, table_line
from wsss_cli.chains.links import WAY_OUT, naming_rate
from wsss_cli.chains.network_check import check_network
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.results import RESULTS
from wsss_cli.configs.rounds import Link, Round
from wsss_cli.configs.setting import option
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.label_folder import grey_files
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.metrics.bootstrap import RESAMPLES, Difference
from wsss_cli.stages import evaluate
from wsss_cli.stages.evaluate import FRACTION
from wsss_cli.stages.inputs import find_data, find_masks, masks_there, rule_saliency
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Silent, Track


def check(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Check what can be checked before the first work: masks, inputs, and results that are there.

    Returns:
        The state of each stage, in their order; those after an unfinished one are not looked at.

    Raises:
        WsssError: Something is missing, or a run holds another result.
    """
    training, split = rounds[0].links[0].config, rounds[0].links[-1].config.split
    data_set = find_data(training)
    if not _with_masks(rounds, data_set.image_ids(split)):
        raise WsssError(f"no image of {split} has a true mask, so no network can be scored")
    image_ids = data_set.image_ids(training.split or data_set.training_split())
    _check_lists(rounds, data_set, image_ids)
    for each in rounds:
        check_network(each.links[-1].config, training, len(image_ids), data_set)
    standings, finished = [], True
    for link in (link for each in rounds for link in each.links):
        if link.stage == "proxy":
            for name, folder in rule_saliency(replace(link.config, data=training.data)).items():
                grey_files(folder, image_ids, option(name))
        state = "new"
        if finished:
            plan = _stage(link).prepare(link.config, Silent())
            state = plan.directory.state(way_out=WAY_OUT)
            finished = state == "complete"
        standings.append({"stage": link.stage, "run": str(link.config.run), "state": state})
    return standings


def _check_lists(rounds: Sequence[Round], data_set: DataSet, image_ids: Sequence[str]) -> None:
    """Refuse rounds that could not follow each other, since their images are others.

    Args:
        rounds: All of them.
        data_set: What they learn from and are scored on.
        image_ids: Images that every network learns from.

    Raises:
        WsssError: Images to learn from have no attention, or images to score no score before.
    """
    for link in rounds[0].links:
        attended = link.config.split if link.stage == "attend" else None
        lacking = set(image_ids) - set(data_set.image_ids(attended) if attended else image_ids)
        if lacking:
            raise UsageError(
                f"[attend] split {attended} lacks {len(lacking)} images that the networks learn "
                f"from: {listing(sorted(lacking))}; leave it out, or set split in [train]"
            )
    for before, after in pairwise(each.links[-1].config.split for each in rounds):
        others = sorted(set(data_set.image_ids(after)) - set(data_set.image_ids(before)))
        unscored = masks_there(others, data_set, None)
        if unscored:
            raise UsageError(
                f"segment.split {after} has {len(unscored)} images that are not in {before}, on "
                f"which the network before is scored: {listing(sorted(unscored))}; set split in "
                "[segment], for all rounds"
            )


def run(out: Path, rounds: Sequence[Round], *, track: Track) -> Report:
    """Bring every round to its scores, and tabulate them.

    Args:
        out: Where the table goes.
        rounds: All of them, in their order.
        track: Shown the progress.

    Raises:
        WsssError: As :func:`check`, or a stage fails.
    """
    started = time.monotonic()
    check(rounds)
    rows: list[dict[str, Any]] = []
    up_to_date = True
    for number, each in enumerate(rounds, start=1):
        track.note(f"round {number} of {len(rounds)}")
        for link in each.links:
            up_to_date &= _made(link, track).up_to_date
        label_ids = [path.stem for path in each.source.glob("*.png")]
        scored = _score(each.labels, track) if _with_masks(rounds, label_ids) else None
        rows.append(
            {
                "round": number,
                "directory": str(each.directory),
                "labels": scored,
                "network": _score(each.network, track),
                "commands": list(each.commands),
            }
        )
    values = {"unit": FRACTION, "rounds": rows}
    write_json(out / "rounds.json", values)
    text = _page(rows)
    write_bytes(out / "rounds.md", text.encode(errors="backslashreplace"))
    seconds = round(time.monotonic() - started, 1)
    return Report("rounds", out, up_to_date, {**values, "markdown": text, "seconds": seconds})


def _made(link: Link, track: Track) -> Report:
    """The result of a stage, made if it is not there.

    Raises:
        WsssError: It fails; of a training that diverged it says where its learning rate stands.
    """
    with naming_rate(f"lr of {link.stage}"):
        report: Report = _stage(link).run(link.config, track=track)
    return report


def _stage(link: Link) -> Any:  # noqa: ANN401 - a module
    return import_module(f"wsss_cli.stages.{link.stage}")


def _with_masks(rounds: Sequence[Round], image_ids: Sequence[str]) -> bool:
    """Whether any of the images has a true mask."""
    data_set = find_data(rounds[0].links[0].config)
    find_masks(data_set)
    return bool(masks_there(image_ids, data_set, None))


def _score(config: EvaluateConfig, track: Track) -> dict[str, Any]:
    """The mIoU, and by how much it exceeds that of the round before."""
    values = evaluate.run(config, track=track).values
    gained = values.get("against", {})
    return {
        "what": config.what,
        "images": values["images"],
        "miou": values["miou"],
        **{name: gained.get(name) for name in ("difference", "low", "high")},
    }


def _page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The whole of rounds.md: what each round has and gained, then its commands."""
    head = ("round", "learned from", "labels", "gained", "network", "gained")
    lines = [table_line(head), "|---|---|---|---|---|---|"]
    for row in rows:
        labels, network = row["labels"], row["network"]
        kind = "unscored labels" if labels is None else RESULTS[labels["what"]].nouns
        cells = [kind, *_cells(labels), *_cells(network)]
        lines.append(table_line([str(row["round"]), *cells]))
    images = rows[0]["network"]["images"]
    parts = [
        "# Rounds\n",
        f"mIoU in per cent: of the labels on those training images that have true masks, of the "
        f"network's predictions on {images} images. What a round gained over the one before stands "
        f"with where it lies for 95 % of {RESAMPLES} draws of the images, with replacement; "
        "**bold** leaves out 0. The choice of seed is not in it.\n",
        "\n".join(lines) + "\n",
        "## Commands\n",
    ]
    for row in rows:
        parts += [f"### Round {row['round']}\n", "```sh", *row["commands"], "```\n"]
    return "\n".join(parts)


def _cells(scored: Mapping[str, Any] | None) -> tuple[str, str]:
    """A score and what it gained."""
    if scored is None or scored["miou"] is None:
        return "–", "–"
    gained = "–"
    if scored["difference"] is not None:
        gained = interval_text(Difference(*(scored[n] for n in ("difference", "low", "high"))))
    return f"{100 * scored['miou']:.1f}", gained
