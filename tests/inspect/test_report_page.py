"""``wsss report``: its numbers, what it says where something is missing, and names of any kind."""

import json
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLASSES, Command, TinyVoc, classes_of, draw_voc
from page_reader import Page

from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.report import ReportConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import UsageError
from wsss_cli.inspect import report as page
from wsss_cli.inspect.report import image_selection, pictures
from wsss_cli.inspect.report.plots import Plots
from wsss_cli.stages import attend, evaluate, proxy, segment, train
from wsss_cli.tracking import Silent


def _chain(voc: TinyVoc, run: Path) -> Path:
    """All stages, short, and their scores."""
    training = {"backbone": "tiny", "iterations": 20, "batch_size": 2, "crop": 32, "amp": "off"}
    train.run(TrainConfig(run=run, data=voc.root, **training), track=Silent())
    attend.run(AttendConfig(run=run, size=64, amp="off"), track=Silent())
    proxy.run(ProxyConfig(run=run, saliency=voc.saliency), track=Silent())
    learning = {"iterations": 10, "batch_size": 2, "crop": 64, "scales": (1.0,), "amp": "off"}
    segment.run(SegmentConfig(run=run, model="tiny", **learning), track=Silent())
    _spoil(run)
    for what in ("prediction", "proxy", "attention"):
        more = {"boundaries": True, "baselines": True} if what == "prediction" else {}
        evaluate.run(EvaluateConfig(run=run, what=what, **more), track=Silent())
    return run


def _spoil(run: Path) -> None:
    """Predictions with every label, so that no score is trivial, and some 255."""
    rng = np.random.default_rng(3)
    for path in sorted((run / "segment" / "predictions").iterdir()):
        labels = rng.choice([0, 1, 2, 3, 255], (48, 64), p=[0.5, 0.2, 0.15, 0.1, 0.05])
        write_label_map(path, labels.astype(np.uint8))


@pytest.fixture(scope="module")
def runs(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs that differ in what they say of their method; tests only read them."""
    folder = tmp_path_factory.mktemp("runs")
    first = _chain(voc, folder / "seenet")
    second = Path(shutil.copytree(first, folder / "cam"))
    manifest = second / "train" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"seenet"', '"cam"'))
    return [first, second]


@pytest.fixture(autouse=True, scope="module")
def plots_drawn_once() -> Iterator[None]:
    """Most pages here have the same plots, which take most of a page's time: draw each once."""
    drawn: dict[bytes, str] = {}

    def once(draw: Callable[..., str]) -> Callable[..., str]:
        def drawn_once(plots: Plots, *arguments: Any, **more: Any) -> str:
            key = pickle.dumps((draw.__name__, vars(plots), arguments, more))
            if key in drawn:
                plots._count += 1
            else:
                drawn[key] = draw(plots, *arguments, **more)
            return drawn[key]

        return drawn_once

    with pytest.MonkeyPatch.context() as patch:
        for name in ("curves", "intervals", "spread"):
            patch.setattr(Plots, name, once(getattr(Plots, name)))
        yield


def _report(runs: list[Path], out: Path, **settings: Any) -> tuple[Page, dict[str, Any]]:
    found = page.run(ReportConfig(tuple(runs), out, **settings), track=Silent())
    return Page(out.read_text(encoding="utf-8")), dict(found.values)


def _at(content: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to."""
    for step in pointer.split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        content = content[int(key)] if isinstance(content, list) else content[key]
    return content


def _check_numbers(found: Page, runs: list[Path]) -> set[str]:
    """Hold every number of the page to the JSON; returns where they come from."""
    places = set()
    for one in found.all("data"):
        run, what, pointer = one.attributes["data-from"].split("/", 2)
        scores = json.loads((runs[int(run)] / "evaluate" / f"{what}.json").read_text())
        value = _at(scores, pointer)
        assert one.attributes["value"] == str(value)
        shown = one.text.replace("\N{NO-BREAK SPACE}", "").replace(" ", "")
        if pointer.startswith(("confusion/", "unpredicted/")):
            row = int(pointer.split("/")[1])
            pixels = sum(scores["confusion"][row]) + scores["unpredicted"][row]
            assert shown == f"{100 * value / pixels:.0f}"
        elif pointer in ("images", "best_threshold"):
            assert shown == str(value)
        else:
            assert shown == f"{100 * value:.1f}"
        places.add(one.attributes["data-from"])
    return places


def test_every_number_is_one_of_the_evaluations(runs: list[Path], tmp_path: Path) -> None:
    found, _ = _report(runs[:1], tmp_path / "one.html")
    places = _check_numbers(found, runs)
    scores = json.loads((runs[0] / "evaluate" / "prediction.json").read_text())
    assert places >= {
        *("0/prediction/miou", "0/prediction/interval/low", "0/prediction/interval/high"),
        *("0/proxy/miou", "0/attention/miou", "0/attention/best_threshold"),
        *("0/prediction/boundary_iou", "0/prediction/baselines/centre_box"),
        *(f"0/prediction/per_class/{name}" for name in ("background", *CLASSES)),
        *(f"0/prediction/false_negative/{name}" for name in CLASSES),
        *(f"0/prediction/per_image/{image_id}/miou" for image_id in scores["per_image"]),
        *(f"0/prediction/confusion/{row}/0" for row in range(4)),
        *(f"0/prediction/unpredicted/{row}" for row in range(4)),
    }
    # No number beside these: what is left of a table's cells has no digit.
    for cell in found.all("td"):
        if cell.inside("tbody") and "settings" not in _classes_above(cell):
            of_data = [one.text for one in found.all("data") if cell in one.above]
            rest = cell.text
            for text in of_data:
                rest = rest.replace(text, "", 1)
            assert not re.search(r"\d", rest), cell.text


def _classes_above(element: Any) -> set[str]:
    return {one.attributes.get("class", "") for one in element.above}


def test_runs_are_columns(runs: list[Path], tmp_path: Path) -> None:
    found, values = _report(runs, tmp_path / "two.html")
    places = _check_numbers(found, runs)
    assert {"0/prediction/per_class/disc", "1/prediction/per_class/disc"} <= places
    heads = [one.text for one in found.all("th") if one.attributes.get("scope") == "col"]
    assert heads.count("seenet") == heads.count("cam") >= 3
    assert values["runs"] == [str(run) for run in runs]
    differing = [one for one in found.all("tr") if one.attributes.get("class") == "differs"]
    assert [one.text.strip() for one in differing] == ["methodseenetcam"]
    columns = [one for one in found.all("div") if one.attributes.get("class") == "column"]
    assert len(columns) == 3 * len([f for f in found.all("figure") if "id" in f.attributes])


def test_page_needs_nothing_from_elsewhere(runs: list[Path], tmp_path: Path) -> None:
    found, values = _report(runs, tmp_path / "two.html")
    ids = [one.attributes["id"] for one in found.elements if "id" in one.attributes]
    assert len(set(ids)) == len(ids)
    for one in found.elements:
        assert one.tag not in ("link", "iframe", "object", "embed", "base", "image")
        for name, value in one.attributes.items():
            assert "url(" not in value or "url(#" in value
            if name in ("src", "href", "xlink:href", "action", "data", "poster"):
                assert value.startswith(("data:image/webp;base64,", "#")), value[:60]
                if value.startswith("#"):
                    assert value[1:] in ids, value
    (style,) = (one for one in found.all("style") if not one.inside("svg"))
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert (tmp_path / "two.html").stat().st_size == values["bytes"]
    assert not list(tmp_path.glob(".*"))


def test_galleries_follow_their_rules(runs: list[Path], voc: TinyVoc, tmp_path: Path) -> None:
    found, values = _report(runs[:1], tmp_path / "one.html", images=2)
    scores = json.loads((runs[0] / "evaluate" / "prediction.json").read_text())["per_image"]
    ranked = sorted(scores, key=lambda i: scores[i]["miou"])
    galleries = values["galleries"]
    assert list(galleries["prediction-worst"]["images"]) == ranked[:2]
    assert list(galleries["prediction-median"]["images"]) == ranked[1:3]
    assert list(galleries["prediction-best"]["images"]) == ranked[::-1][:2]
    pairs = [i for i in ranked if len(scores[i]["iou"]) == 3]  # background and two classes
    assert galleries["co-occurring-classes"]["matching"] == len(pairs) == 1
    assert list(galleries["co-occurring-classes"]["images"]) == pairs
    assert galleries["many-instances"]["images"] == {}
    assert galleries["object-like-background"]["matching"] == 1  # a tenth of four, rounded up
    proxies = json.loads((runs[0] / "evaluate" / "proxy.json").read_text())["per_image"]
    assert next(iter(galleries["proxy-worst"]["images"])) == min(
        proxies, key=lambda i: (proxies[i]["miou"], i)
    )
    shown = {i for gallery in galleries.values() for i in gallery["images"]}
    figures = [one for one in found.all("figure") if one.attributes.get("class") == "image"]
    assert len(figures) == len(shown) == values["pictures"]
    for one in figures:
        image_id = one.text.split()[0]
        index = [*voc.train_ids, *voc.val_ids].index(image_id)
        assert one.attributes["data-classes"].split() == [str(c + 1) for c in classes_of(index)]


def test_what_chose_failures_can_be_had_from_evaluate(runs: list[Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    evaluate.run(EvaluateConfig(run=run, difficulty=True), track=Silent())
    scores = json.loads((run / "evaluate" / "prediction.json").read_text())["per_image"]
    _, values = _report([run], tmp_path / "one.html", images=4)
    _, without = _report(runs[:1], tmp_path / "two.html", images=4)
    assert values["galleries"] == without["galleries"]
    (alike,) = values["galleries"]["object-like-background"]["images"].items()
    most = max(scores, key=lambda image_id: scores[image_id]["colours_shared"])
    assert alike == (most, f"{scores[most]['colours_shared']:.0%} of the colours shared")
    assert {one["regions"] for one in scores.values()} == {1}


@pytest.mark.parametrize("stages", ["train", "attend", "proxy", "segment"])
def test_what_a_run_lacks_is_said_in_a_sentence(
    runs: list[Path], tmp_path: Path, stages: str
) -> None:
    part = tmp_path / "part"
    shutil.copytree(runs[0] / stages, part / stages)
    found, values = _report([part], tmp_path / "part.html")
    assert "run wsss evaluate" in found.text
    assert any("nothing of it has been scored" in remark for remark in values["remarks"])
    assert not found.all("data")
    assert bool(found.all("svg")) == (stages in ("train", "segment"))
    assert bool(found.all("img")) == (stages in ("proxy", "segment"))


def test_images_without_truth_or_photograph_are_shown_as_far_as_they_go(
    runs: list[Path], tmp_path: Path
) -> None:
    own = draw_voc(tmp_path / "own")
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    lost = own.val_ids[0]
    own.image(lost).unlink()
    for image_id in own.val_ids[1:]:
        own.mask(image_id).unlink()
    found, _ = _report([run], tmp_path / "page.html", data=own.root)
    figures = {f.text.split()[0]: f for f in found.all("figure") if "id" in f.attributes}
    assert "does not exist" in figures[lost].text
    assert "no truth" in figures[own.val_ids[1]].text
    shutil.rmtree(own.root)
    for path in run.glob("*/manifest.json"):  # the data set that the run itself names is gone
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps({**manifest, "data": str(own.root)}))
    _, values = _report([run], tmp_path / "page.html")
    assert any(str(own.root) in remark for remark in values["remarks"])


def test_scores_of_an_earlier_result_are_called_so(runs: list[Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    path = run / "evaluate" / "prediction.json"
    path.write_text(
        path.read_text().replace('"artifact_fingerprint": "', '"artifact_fingerprint": "0')
    )
    _, values = _report([run], tmp_path / "page.html", images=0)
    assert any("prediction are of an earlier result" in remark for remark in values["remarks"])
    assert values["pictures"] == 0


@pytest.mark.parametrize("kept", ["attention", "proxy", "prediction"])
def test_scores_of_an_earlier_version_are_left_out_and_the_others_shown(
    runs: list[Path], tmp_path: Path, kept: str
) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    for path in (run / "evaluate").glob("*.json"):
        if path.stem != kept:
            old = ("miou", "per_class", "images", "ground_truth", "artifact_fingerprint")
            scores = json.loads(path.read_text())
            path.write_text(json.dumps({name: scores[name] for name in old}))
    found, values = _report([run], tmp_path / "page.html", images=1)
    assert sum("of an earlier version" in remark for remark in values["remarks"]) == 2
    assert _check_numbers(found, [run])


def test_runs_of_other_classes_are_no_columns(runs: list[Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(runs[1], tmp_path / "other"))
    for path in other.glob("*/manifest.json"):
        path.write_text(path.read_text().replace('"disc"', '"ring"'))
    with pytest.raises(UsageError, match="has other classes than"):
        _report([runs[0], other], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_an_unchanged_run_is_not_drawn_again(
    runs: list[Path], voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    data = tmp_path / "VOC2012"
    shutil.copytree(voc.root, data)
    out = tmp_path / "page.html"

    def report() -> tuple[bool, dict[str, Any]]:
        found = page.run(ReportConfig((run,), out, data, 2), track=Silent())
        return found.up_to_date, dict(found.values)

    drawn: list[str] = []
    seen, looked = pictures.view_classes, image_selection.difficulty
    monkeypatch.setattr(
        pictures, "view_classes", lambda *given: drawn.append("view") or seen(*given)
    )
    monkeypatch.setattr(
        image_selection, "difficulty", lambda *given: drawn.append("difficulty") or looked(*given)
    )
    first = report()
    assert not first[0]
    assert set(drawn) == {"view", "difficulty"}
    content = out.read_bytes()
    assert report() == (True, first[1])
    assert out.read_bytes() == content

    drawn.clear()
    label_map = next((run / "proxy" / "labels").iterdir())
    write_label_map(label_map, np.zeros((48, 64), np.uint8))
    up_to_date, _ = report()
    assert not up_to_date
    assert not drawn  # neither the photographs nor the network have changed
    assert out.read_bytes() != content

    figures = [one.text.split() for one in Page(out.read_text()).all("figure")]
    ids = {*voc.val_ids, *voc.train_ids}
    shown = next(words[0] for words in figures if words and words[0] in ids)
    photograph = data / "JPEGImages" / f"{shown}.jpg"
    photograph.write_bytes(photograph.read_bytes() + b"\0" * 7)
    assert not report()[0]
    assert report()[0]


def test_what_is_kept_in_a_page_may_be_anything(runs: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    _, values = _report(runs[:1], out, images=1)
    whole = out.read_text()
    start = whole.index('id="memory">') + len('id="memory">')
    end = whole.index("</script>", start)
    for kept in ("", "[]", "{}", "nonsense", '{"files": 1, "values": {}, "difficulties": []}'):
        out.write_text(whole[:start] + kept + whole[end:])
        _, again = _report(runs[:1], out, images=1)
        assert again["galleries"] == values["galleries"]
    out.write_text(whole[: len(whole) // 2])
    assert _report(runs[:1], out, images=1)[1]["galleries"] == values["galleries"]


def test_predictions_are_shown_before_they_are_scored(
    runs: list[Path], voc: TinyVoc, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    (run / "evaluate" / "prediction.json").unlink()
    found, values = _report([run], tmp_path / "page.html", images=2)
    images = values["galleries"]["prediction-any"]["images"]
    assert set(images) <= set(voc.val_ids)
    assert len(images) == 2
    figures = {f.text.split()[0] for f in found.all("figure") if "id" in f.attributes}
    assert set(images) <= figures
    assert not any("label maps" in remark for remark in values["remarks"])


def test_no_plot_is_empty(runs: list[Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    logs = {stage: run / stage / "metrics.jsonl" for stage in ("train", "segment")}
    lines = logs["train"].read_text().splitlines(keepends=True)
    logs["train"].write_text(lines[0])
    logs["segment"].write_text(
        json.dumps({**json.loads(lines[0]), "losses": {"segmentation": None}}) + "\n"
    )
    for path in (run / "evaluate").glob("*.json"):
        scores = json.loads(path.read_text())
        per_image = {i: {**one, "miou": None} for i, one in scores["per_image"].items()}
        path.write_text(json.dumps({**scores, "miou": None, "per_image": per_image}))
    found, _ = _report([run], tmp_path / "page.html")
    titles = [one.attributes["aria-label"] for one in found.all("svg")]
    assert "losses of wsss train" in titles
    assert not {"losses of wsss segment", "mIoU"} & set(titles)
    assert not any("image by image" in title for title in titles)
    (losses,) = (s for s in found.all("svg") if s.attributes["aria-label"] == titles[-1])
    marks = [one for one in found.all("use") if losses in one.above and one.inside("g")]
    assert marks  # points, for a line through one of them is not seen


def test_the_page_opens_with_what_the_score_is_worth(runs: list[Path], tmp_path: Path) -> None:
    found, _ = _report(runs[:1], tmp_path / "page.html", images=0)
    scores = json.loads((runs[0] / "evaluate" / "prediction.json").read_text())
    (sentence,) = (one for one in found.all("p") if one.attributes.get("class") == "verdict")
    assert f"{100 * scores['miou']:.1f}" in sentence.text
    assert f"{100 * scores['baselines'][scores['verdict_baseline']]:.1f}" in sentence.text
    body = found.all("body")[0].text
    assert body.index(sentence.text) < body.index("IoU is TP")


def test_losses_are_named_by_what_they_measure(runs: list[Path], tmp_path: Path) -> None:
    found, _ = _report(runs[:1], tmp_path / "page.html", images=0)
    (training,) = (
        one for one in found.all("svg") if one.attributes["aria-label"].endswith("wsss train")
    )
    for branch in ("S_A", "S_B", "S_C"):
        assert branch in training.text
    (segmentation,) = (
        one for one in found.all("svg") if one.attributes["aria-label"].endswith("wsss segment")
    )
    assert "entropy" in segmentation.text


@pytest.mark.parametrize("lacking", ["asked", "made", "data"])
def test_the_reason_for_no_pictures_is_the_true_one(
    runs: list[Path], tmp_path: Path, lacking: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs[0] / "train", run / "train")
    if lacking == "data":
        manifest = run / "train" / "manifest.json"
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**content, "data": str(tmp_path / "gone")}))
    found, values = _report([run], tmp_path / "page.html", images=0 if lacking == "asked" else 3)
    (reason,) = (one.text for one in found.all("p") if one.text.startswith("No pictures"))
    expected = {"asked": "--images 0", "made": "label maps", "data": str(tmp_path / "gone")}
    assert expected[lacking] in reason
    assert not any("other images" in remark for remark in values["remarks"])


NASTY = ("<script>alert(1)</script>", "a\"b'&amp;", "</style><b>x")


def test_names_of_any_kind_are_text(tmp_path: Path) -> None:
    own = draw_voc(tmp_path / "own")
    (own.root / "classes.txt").write_text("".join(f"{name}\n" for name in NASTY))
    for annotation in (own.root / "Annotations").iterdir():
        text = annotation.read_text()
        for plain, nasty in zip(CLASSES, NASTY, strict=True):
            escaped = nasty.replace("&", "&amp;").replace("<", "&lt;")
            text = text.replace(f"<name>{plain}<", f"<name>{escaped}<")
        annotation.write_text(text)
    first = _chain(own, tmp_path / "_<i>one&")
    second = Path(shutil.copytree(first, tmp_path / "$two_{x}"))
    for chosen in ([first], [first, second]):
        found, _ = _report(chosen, tmp_path / "page.html")
        runs_as_script = [one for one in found.all("script") if "type" not in one.attributes]
        assert len(runs_as_script) == 1
        assert {one.text for one in found.all("i")} == {""}  # swatches and bars, no run's name
        for name in NASTY:
            assert name in found.text
        _check_numbers(found, chosen)
    drawn = " ".join(one.text for one in found.all("svg"))
    assert "_<i>one&" in drawn
    assert "$two_{x}" in drawn


def test_what_is_no_page_of_ours_is_not_replaced(
    wsss: Command, runs: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "thesis.html"
    out.write_text("<!doctype html><p>three years")
    outcome = wsss("report", runs[0], "--out", out, "--quiet")
    assert (outcome.code, outcome.out) == (2, "")
    assert "thesis.html" in outcome.err
    assert out.read_text() == "<!doctype html><p>three years"
    ours = tmp_path / "ours.html"
    for _ in range(2):
        outcome = wsss("report", runs[0], "--out", ours, "--images", 1, "--json")
        assert outcome.code == 0, outcome.err
    assert outcome.values["page"] == str(ours)
    outcome = wsss("report", tmp_path / "nowhere")
    assert outcome.code == 2
    assert "nowhere" in outcome.err
