"""The tables that say once what stages, results and segmentation networks there are."""

from importlib import import_module
from pathlib import Path

import pytest
from conftest import Command, TinyVoc

import wsss_cli
from wsss_cli.artifacts import attention_file, score_file, tensorboard_events, trackers
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.image_groups import SHARDS
from wsss_cli.artifacts.metrics_log import METRICS_FILE
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.results import BY_INTEREST, RESULTS
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS, model_of
from wsss_cli.configs.stages import CHAIN, STAGES
from wsss_cli.errors import UsageError


@pytest.mark.parametrize("stage", CHAIN)
def test_every_stage_has_a_module_that_prepares_and_runs(stage: str) -> None:
    module = import_module(f"wsss_cli.stages.{stage}")
    assert callable(module.prepare)
    assert callable(module.run)


def test_the_table_names_the_files_that_the_artifacts_write() -> None:
    shards = f"{SHARDS}/*.h5"
    assert STAGES["attend"].owned == (attention_file.INDEX, shards)
    tracked = (tensorboard_events.EVENTS, trackers.RUNS_FILE)
    assert STAGES["segment"].extras == (score_file.INDEX, shards, *tracked)
    for training in ("train", "segment"):
        assert {CHECKPOINT_FILE, METRICS_FILE} <= set(STAGES[training].owned)
        assert set(tracked) <= set(STAGES[training].extras)


def test_results_are_of_stages_and_their_folders_are_what_the_stage_owns() -> None:
    assert set(BY_INTEREST) == set(RESULTS)
    for result in RESULTS.values():
        if result.folder is not None:
            assert f"{result.folder}/*.png" in STAGES[result.stage].owned


def test_a_backbone_without_a_segmentation_network_is_a_sentence() -> None:
    for name, model in SEGMENTATION_MODELS.items():
        assert SEGMENTATION_MODELS[model_of(model.backbone)].backbone == model.backbone, name
    with pytest.raises(UsageError, match=r"vit-b16.*--model"):
        model_of("vit-b16")


def test_a_finished_stage_records_what_the_table_says(
    voc: TinyVoc, tmp_path: Path, wsss: Command
) -> None:
    run = tmp_path / "run"
    tiny = ["--backbone", "tiny", "--iterations", 1, "--crop", 32, "--batch-size", 2]
    assert wsss("train", "--data", voc.root, "--run", run, *tiny).code == 0
    manifest = read_manifest(run / "train")
    entry = STAGES["train"]
    assert manifest["stage_version"] == entry.version
    assert manifest["owned"] == [*entry.owned, *entry.scratch, *entry.extras]


def test_stage_modules_are_those_of_the_table() -> None:
    """A stage that is not in the table is in no list of the suite."""
    folder = Path(wsss_cli.__file__).parent / "stages"
    with_run = {
        path.stem if path.name != "__init__.py" else path.parent.name
        for path in [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
        if "\ndef run(" in path.read_text()
    }
    assert with_run == set(CHAIN)
