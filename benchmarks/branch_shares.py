r"""Where each branch's attention lies, over the iterations of a training.

Reads the snapshots of trainings made with ``wsss train --snapshot-every N`` and measures, on
images with true masks, the share of each branch's attention on the object and on the background::

    python benchmarks/branch_shares.py "with S_C=runs/a0,runs/a1" "without S_C=runs/b0,runs/b1" \
        --size 128 --out shares

Runs named together are trainings that differ in their seed, and the means are over them. Writes
``shares.csv`` (every run), ``shares.md`` (the last iteration, the runs of a kind side by side) and
``shares.png`` (the means).
"""

import argparse
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.data.images import read_image
from wsss_cli.data.layouts import find_data_set
from wsss_cli.inspect.branches import view_classes
from wsss_cli.methods.network_file import load_network
from wsss_cli.metrics.branch_shares import branch_shares
from wsss_cli.stages.train.snapshots import SNAPSHOTS

SHARES = ("mass_object", "mass_background", "lit_object", "lit_background", "strength")
Row = dict[str, Any]


def measure(run: Path, split: str, images: int, size: int) -> Iterator[Row]:
    """One row for each snapshot and branch of a run, over the first images of a split."""
    data_set = find_data_set(Path(read_manifest(run / "train")["data"]))
    known = ((i, data_set.true_label_map(i)) for i in data_set.image_ids(split))
    truth = dict(islice(((i, mask) for i, mask in known if mask is not None), images))
    image_ids = list(truth)
    labels = data_set.labels(image_ids)
    for path in sorted((run / "train" / SNAPSHOTS).glob("*.pt")):
        network, config, _ = load_network(path)
        of_branch: dict[str, list[dict[str, float]]] = {}
        for image_id, present in zip(image_ids, labels, strict=True):
            target = torch.tensor(truth[image_id])
            image = read_image(data_set.image_path(image_id))
            for view in view_classes(network, config.method, image, present, size):
                for name, attention in view.maps.items():
                    shares = branch_shares(attention, view.class_id, target)
                    of_branch.setdefault(name, []).append(shares)
        for name, of_maps in of_branch.items():
            mean = defined_means(of_maps)
            yield {"run": run.name, "iteration": int(path.stem), "branch": name, **mean}


def defined_means(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each share over one map or more, undefined ones left out; nan where all are."""
    return {
        name: float(torch.tensor([each[name] for each in shares]).nanmean()) for name in shares[0]
    }


def averaged(rows: Sequence[Row]) -> list[Row]:
    """Means over runs for each kind, iteration and branch, in the order met."""
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["iteration"], row["branch"]), []).append(row)
    return [
        {
            **dict(zip(("kind", "iteration", "branch"), key, strict=True)),
            **{share: fmean(row[share] for row in found) for share in SHARES},
        }
        for key, found in groups.items()
    ]


def markdown(rows: Sequence[Row]) -> str:
    """The table of the last iteration, in per cent; the runs of a kind beside each other."""
    last = max(row["iteration"] for row in rows)
    head = f"| training | branch | {' | '.join(s.replace('_', ' on ') for s in SHARES)} |"
    lines = [head, "|---" * (2 + len(SHARES)) + "|"]
    for mean in averaged([row for row in rows if row["iteration"] == last]):
        key = {name: mean[name] for name in ("kind", "branch", "iteration")}
        found = [row for row in rows if key.items() <= row.items()]
        cells = [" / ".join(f"{100 * row[share]:.0f}" for row in found) for share in SHARES]
        lines.append(f"| {mean['kind']} | {mean['branch']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(rows: Sequence[Row]) -> Image.Image:
    """Mass on the object and on the background over iterations; a column per branch."""
    colours = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
    width, height, left, top, gap = 210, 130, 56, 76, 34
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    branches = list(dict.fromkeys(row["branch"] for row in rows))
    last = max(row["iteration"] for row in rows)
    canvas = Image.new(
        "RGB", (left + len(branches) * (width + gap), top + 2 * (height + gap) + 16), "white"
    )
    draw = ImageDraw.Draw(canvas)
    small, large = ImageFont.load_default(12), ImageFont.load_default(14)
    at = left
    for kind, colour in zip(kinds, colours, strict=False):
        draw.line((at, 16, at + 24, 16), colour, 3)
        draw.text((at + 30, 16), kind, "black", large, anchor="lm")
        at += 60 + round(draw.textlength(kind, large))
    for line, share in enumerate(SHARES[:2]):
        y = top + line * (height + gap)
        draw.text((left, y - 10), share.replace("_", " on "), "#555", small, anchor="lm")
        for column, branch in enumerate(branches):
            x = left + column * (width + gap)
            draw.rectangle((x, y, x + width, y + height), outline="#999")
            if not line:
                draw.text((x + width / 2, y - 30), branch, "black", large, anchor="mm")
            for tick in (0, 0.25, 0.5, 0.75, 1):
                level = y + height * (1 - tick)
                draw.line((x, level, x + width, level), "#ddd")
                if not column:
                    draw.text((x - 6, level), f"{tick:.0%}", "#555", small, anchor="rm")
            for kind, colour in zip(kinds, colours, strict=False):
                points = [
                    (x + width * row["iteration"] / last, y + height * (1 - row[share]))
                    for row in averaged(rows)
                    if (row["kind"], row["branch"]) == (kind, branch) and row[share] == row[share]
                ]
                draw.line(points, colour, 2, joint="curve")
            if line:
                for tick in (0, last // 2, last):
                    where = (x + width * tick / last, y + height + 10)
                    draw.text(where, str(tick), "#555", small, anchor="mm")
    return canvas


def main() -> None:
    """Measure the runs given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="+", metavar="TITLE=RUN[,RUN...]")
    parser.add_argument("--split", default="train")
    parser.add_argument("--images", type=int, default=100, help="the first ones of the split")
    parser.add_argument("--size", type=int, default=AttendConfig.size)
    parser.add_argument("--out", type=Path, default=Path("shares"), help="path without ending")
    given = parser.parse_args()
    rows: list[Row] = []
    for kind in given.kinds:
        title, _, runs = kind.partition("=")
        for run in map(Path, runs.split(",")):
            found = measure(run, given.split, given.images, given.size)
            rows += [{"kind": title, **row} for row in found]
    write_bytes(given.out.with_suffix(".csv"), as_csv(rows))
    write_bytes(given.out.with_suffix(".md"), markdown(rows).encode())
    picture = io.BytesIO()
    plot(rows).quantize(64).save(picture, "PNG", optimize=True)
    write_bytes(given.out.with_suffix(".png"), picture.getvalue())
    print(markdown(rows), end="")


def as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Every run's rows, shares to four places."""
    text = io.StringIO()
    table = csv.DictWriter(text, rows[0], lineterminator="\n")
    table.writeheader()
    table.writerows({k: f"{v:.4f}" if k in SHARES else v for k, v in row.items()} for row in rows)
    return text.getvalue().encode()


if __name__ == "__main__":
    main()
