"""Every key that ``--json`` prints is in a schema, and everything is of its type.

A key that is new fails here until it stands, with a description, in wsss_cli/schemas; then
``python scripts/write_json_docs.py`` writes docs/json.md.
"""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, TinyVoc, classes_of, train_arguments
from jsonschema import Draft202012Validator
from PIL import Image

from wsss_cli import schemas
from wsss_cli.cli.app import app
from wsss_cli.configs.stages import CHAIN

ROOT = Path(__file__).parent.parent.parent


def _problems(schema: dict[str, Any], values: Any) -> list[str]:
    return [
        f"{'.'.join(map(str, error.path)) or 'top'}: {error.message[:300]}"
        for error in Draft202012Validator(schema).iter_errors(values)
    ]


def _fits(name: str, values: Any) -> None:
    assert not _problems(schemas.load(name), values)


@pytest.mark.parametrize("name", schemas.names())
def test_schemas_are_schemas_and_describe_every_key(name: str) -> None:
    schema = schemas.load(name)
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    for key, value in schema["properties"].items():
        assert value.get("description"), key


def test_page_of_the_documentation_is_that_of_the_schemas() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "write_json_docs.py"))
    assert (ROOT / "docs" / "json.md").read_text("utf-8") == written["page"]()


def test_a_key_that_nobody_described_is_noticed() -> None:
    values = {"stage": "crf", "status": "complete", "directory": None, "images": 1, "written": 1}
    whole = {**values, "skipped": 0, "seconds": 1.0, "rate": 1.0}
    _fits("crf", whole)
    assert _problems(schemas.load("crf"), {**whole, "undescribed": 1})
    assert _problems(schemas.load("crf"), {**whole, "images": "many"})
    assert _problems(schemas.load("crf"), values)


@pytest.fixture
def chain(chained: Path, tmp_path: Path) -> Path:
    """A run that the test may go on with."""
    return Path(shutil.copytree(chained, tmp_path / "runs" / "run"))


def _lines(voc: TinyVoc, run: Path) -> dict[str, list[tuple[str, str]]]:
    """Command lines of each stage, with the schema that fits what they print."""
    masks = f"--pred {run}/segment/predictions --data {voc.root}"
    photo, broken = voc.image(voc.val_ids[0]), voc.split("val")
    full = f"--boundaries --difficulty --baselines --saliency {voc.saliency}"
    packed = f"segment --submission {run}/val.tar.gz --run {run}"
    return {
        "train": [("train", " ".join(train_arguments(voc, run)))],
        "attend": [("attend", f"attend --heatmaps --run {run}")],
        "saliency": [("saliency", f"saliency --model unsupervised --size 48 --run {run}")],
        "proxy": [("proxy", f"proxy --saliency {voc.saliency} --run {run}")],
        "segment": [
            ("segment", f"{packed} --probabilities"),
            (
                "segment",
                f"segment --checkpoint {run}/segment/checkpoint.pt --scales 1 "
                f"--data {voc.root} --run {run}-again",
            ),
        ],
        "refine": [
            ("refine", f"refine --edges --iterations 10 --crop 32 --steps 2 --run {run}"),
            (
                "refine",
                f"refine --checkpoint {run}/refine/checkpoint.pt --data {voc.root} "
                f"--attention {run}/attend/attention.h5 --run {run}-again",
            ),
        ],
        "crf": [("crf", f"crf --run {run}")],
        "predict": [
            ("predict", f"predict {run}/segment/checkpoint.pt {photo} --out {run}-1 --overlay"),
            ("predict", f"predict {run}/train/checkpoint.pt {photo} --out {run}-2 --probabilities"),
            ("predict", f"predict {run}/segment/checkpoint.pt {photo} {broken} --out {run}-3"),
        ],
        "evaluate": [
            ("evaluate", f"evaluate --run {run} {full}"),
            ("crf", f"crf --run {run}"),
            ("evaluate", f"evaluate {masks} --against {run}/crf/labels"),
            ("evaluate", f"evaluate --run {run} --what attention --localisation"),
            ("evaluate", f"evaluate --run {run} --what proxy --baselines"),
            ("evaluate", f"evaluate --run {run} --what crf --fail-under 0"),
        ],
        "show": [
            ("evaluate", f"evaluate --run {run}"),
            ("segment", packed),
            ("show_run", f"show {run}"),
            ("show_runs", f"show {run.parent}"),
            ("show_file", f"show {run}/attend/attention.h5"),
            ("show_file", f"show {run}/segment/scores.h5"),
            ("show_file", f"show {run}/train/checkpoint.pt"),
            ("refine", f"refine --edges --iterations 1 --crop 32 --steps 2 --run {run}"),
            ("show_file", f"show {run}/refine/checkpoint.pt"),
            ("show_file", f"show {run}/evaluate/prediction.json"),
            ("show_file", f"show {run}/val.tar.gz"),
            ("show_file", f"show {voc.mask(voc.val_ids[0])}"),
            ("show_methods", "show --methods"),
            ("show_image", f"show --image {voc.train_ids[0]} {run}"),
        ],
        "others": [
            ("evaluate", f"evaluate --run {run}"),
            ("segment", packed),
            ("report", f"report --images 1 {run}"),
            ("report", f"report --images 1 {run}"),
            ("check", f"check {run}/val.tar.gz --split val --data {voc.root}"),
            ("check", f"check {run}/val.tar.gz --split train --data {voc.root}"),
            ("doctor", f"doctor --data {voc.root} --run {run}"),
            ("data_check", f"data check {voc.root}"),
            ("suggest", f"suggest --count 3 --run {run}"),
        ],
    }


@pytest.mark.parametrize(
    "stage",
    [
        *CHAIN,
        *("show", "others"),
    ],
)
def test_every_command_prints_what_its_schema_says(
    wsss: Command, voc: TinyVoc, chain: Path, stage: str
) -> None:
    for name, line in _lines(voc, chain)[stage]:
        outcome = wsss(*line.split(), "--json")
        assert outcome.code in (0, 1), outcome.err
        assert not _problems(schemas.load(name), outcome.values), line
    for path in (chain / "evaluate").glob("*.json"):  # what is kept is what was printed
        kept = json.loads(path.read_text())
        _fits("evaluate", {"stage": "evaluate", "status": "complete", "directory": None, **kept})


PLANNED = CHAIN


@pytest.mark.parametrize("stage", PLANNED)
def test_dry_runs_print_what_their_schema_says(
    wsss: Command, voc: TinyVoc, chain: Path, stage: str
) -> None:
    line = _lines(voc, chain)[stage][0][1]
    outcome = wsss(*line.split(), "--dry-run", "--json")
    assert outcome.code == 0, outcome.err
    schema = schemas.plan_schema(stage, PLANNED[stage])
    Draft202012Validator.check_schema(schema)
    assert not _problems(schema, outcome.values)


def test_masks_for_another_tool(wsss: Command, chained: Path, tmp_path: Path) -> None:
    line = ["export", chained / "proxy" / "labels", "-o", tmp_path / "proxies.json", "--json"]
    _fits("export", wsss(*line).values)


def test_network_for_another_program(wsss: Command, chained: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    line = [
        "export-network",
        chained / "segment" / "checkpoint.pt",
        "-o",
        tmp_path / "n.onnx",
        "--json",
    ]
    _fits("export-network", wsss(*line).values)


def test_masks_of_another_tool(wsss: Command, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(tmp_path / "masks" / "a.png")
    line = ["data", "masks", tmp_path / "masks", tmp_path / "out", "--white", 1, "--json"]
    _fits("data_masks", wsss(*line).values)


def test_maps_of_another_tool(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    for index, image_id in enumerate(voc.train_ids):
        maps = {column: np.eye(48, 64, dtype=np.float32) for column in classes_of(index)}
        np.save(tmp_path / "maps" / f"{image_id}.npy", maps)
    line = ["import", tmp_path / "maps", "--data", voc.root, "-o", tmp_path / "a.h5", "--json"]
    _fits("import", wsss(*line).values)


def test_every_command_with_json_has_a_schema() -> None:
    """Those of ``show`` and plans are of what commands can be asked for."""
    known = set(schemas.names())
    group = app
    commands: dict[str, Any] = {**group.commands, **_inner(group.commands["data"])}  # type: ignore[attr-defined]
    with_json = {
        name
        for name, command in commands.items()
        if any(parameter.name == "json" for parameter in command.params)
    }
    assert with_json - {"show"} <= known
    assert known - with_json == {
        *("show_file", "show_image", "show_methods", "show_run", "show_runs"),
        *("compare_plan", "rounds_plan"),
    }


def _inner(group: Any) -> dict[str, Any]:
    return {f"data_{name}": command for name, command in group.commands.items()}


def test_a_converted_data_set(wsss: Command, tmp_path: Path, voc: TinyVoc) -> None:
    photos = tmp_path / "photos"
    for number, image_id in enumerate(voc.train_ids[:4]):
        place = photos / ("square" if number % 2 else "disc")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(voc.image(image_id), place)
    _fits("data_check", wsss("data", "check", photos, "--json").values)
    _fits("data_convert", wsss("data", "convert", photos, tmp_path / "out", "--json").values)


def test_a_comparison_and_its_plan(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    file = tmp_path / "methods.toml"
    file.write_text(
        '[train]\nbackbone = "tiny"\niterations = 2\nbatch-size = 4\ncrop = 32\namp = "off"\n'
        "[attend]\nsize = 64\n[settings.cam]\ntrain.method = 'cam'\n[settings.seenet]\n"
    )
    line = ["compare", file, "--data", voc.root, "--saliency", voc.saliency]
    line += ["--out", tmp_path / "out", "--json"]
    plan = wsss(*line, "--dry-run").values
    _fits("compare_plan", plan)
    assert plan["estimate"]["seconds"] > 0
    _fits("compare", wsss(*line).values)
    kept = json.loads((tmp_path / "out" / "compare.json").read_text())
    head = {"stage": "compare", "status": "complete", "directory": "", "seconds": 0.0}
    _fits("compare", {**head, **kept})


def test_rounds_and_their_plan(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    file = tmp_path / "rounds.toml"
    file.write_text(
        '[train]\nbackbone = "tiny"\niterations = 2\nbatch-size = 4\ncrop = 32\namp = "off"\n'
        "[attend]\nsize = 64\n[segment]\niterations = 2\nbatch-size = 2\ncrop = 32\n"
        "[[relabel]]\nproxy.rule = 'masked'\n"
    )
    line = ["rounds", file, "--data", voc.root, "--saliency", voc.saliency]
    line += ["--out", tmp_path / "out", "--json"]
    _fits("rounds_plan", wsss(*line, "--dry-run").values)
    _fits("rounds", wsss(*line).values)
    kept = json.loads((tmp_path / "out" / "rounds.json").read_text())
    head = {"stage": "rounds", "status": "complete", "directory": "", "seconds": 0.0}
    _fits("rounds", {**head, **kept})
