"""The page of ``wsss report`` in a real browser, where there is one: Chromium without a window."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, TinyVoc
from page_reader import Page
from PIL import Image

from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.report import ReportConfig
from wsss_cli.inspect import report as page
from wsss_cli.stages import evaluate, proxy
from wsss_cli.tracking import Silent

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser: none of {', '.join(BROWSERS)} is installed"
)
LIGHT, DARK = 1, 0  # Chromium's blink setting preferredColorScheme


@pytest.fixture(scope="module")
def written(trained: Path, voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("browser") / "run"
    shutil.copytree(trained, run)
    proxy.run(ProxyConfig(run=run, saliency=voc.saliency), track=Silent())
    for what in ("proxy", "attention"):
        evaluate.run(EvaluateConfig(run=run, what=what), track=Silent())
    page.run(ReportConfig((run,), images=2), track=Silent())
    return run / "report.html"


def _chromium(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page with a profile of its own, unable to reach any host."""
    profile = path.with_suffix(".profile")
    assert BROWSER is not None
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=3000"),
            *("--enable-logging=stderr", f"--user-data-dir={profile}", *options, path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    shutil.rmtree(profile, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    return done


def _with_script(written: Path, name: str, script: str) -> Path:
    """The page with a visitor who does something."""
    text = written.read_text(encoding="utf-8")
    path = written.with_name(name)
    path.write_text(text.replace("</body>", f"<script>{{{script}}}</script></body>"))
    return path


def test_it_draws_in_light_and_in_dark(written: Path, tmp_path: Path) -> None:
    means = []
    for scheme in (LIGHT, DARK):
        shot = tmp_path / f"{scheme}.png"
        done = _chromium(
            written,
            f"--screenshot={shot}",
            "--window-size=1200,2400",
            f"--blink-settings=preferredColorScheme={scheme}",
        )
        assert "CONSOLE" not in done.stderr, done.stderr
        pixels = np.asarray(Image.open(shot).convert("L"))
        assert pixels.std() > 10  # something is drawn
        means.append(float(np.median(pixels)))
    assert means[0] > 240
    assert means[1] < 40


def test_every_picture_is_decoded_and_nothing_sticks_out_on_a_phone(written: Path) -> None:
    script = """
      const images = [...document.images];
      const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
      document.title = JSON.stringify({
        pictures: images.length,
        broken: images.filter((i) => !(i.complete && i.naturalWidth)).length,
        wide,
        cut: [...document.querySelectorAll(".scores, .classes")]
          .filter((t) => t.parentElement.scrollWidth > t.parentElement.clientWidth)
          .map((t) => t.className),
      });"""
    # Chromium's windows are at least 500 points wide; a frame is not.
    inner = _with_script(written, "phone.html", script)
    outer = inner.with_name("frame.html")
    outer.write_text(
        f'<iframe style="width:390px;height:800px" src="{inner.name}"></iframe><script>'
        "onload = () => { document.title = frames[0].document.title; }</script>"
    )
    dom = _chromium(outer, "--dump-dom", "--allow-file-access-from-files").stdout
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title is not None, dom[:500]
    found = json.loads(title[1])
    assert found["pictures"] > 20
    assert (found["broken"], found["wide"]) == (0, 0)
    assert found["cut"] == []


@pytest.mark.parametrize("class_id", [1, 3])
def test_the_filter_leaves_the_images_of_a_class(written: Path, class_id: int) -> None:
    def figures(text: str) -> dict[str, tuple[list[str], bool]]:
        return {
            one.attributes["id"]: (
                one.attributes["data-classes"].split(),
                "hidden" in one.attributes,
            )
            for one in Page(text).all("figure")
            if one.attributes.get("class") == "image"
        }

    plain = written.read_text(encoding="utf-8")
    assert not any(hidden for _, hidden in figures(plain).values())
    (control,) = (o for o in Page(plain).all("p") if o.attributes.get("class") == "filter")
    assert "hidden" in control.attributes  # useless without the script
    script = f"""
      const choice = document.getElementById("filter");
      choice.value = "{class_id}";
      choice.dispatchEvent(new Event("change"));"""
    dom = _chromium(_with_script(written, f"{class_id}.html", script), "--dump-dom").stdout
    dom = dom[dom.index("<html") :]
    after = figures(dom)
    assert len(after) == len(figures(plain))
    for classes, hidden in after.values():
        assert hidden == (str(class_id) not in classes)
    assert {hidden for _, hidden in after.values()} == {True, False}
    (control,) = (o for o in Page(dom).all("p") if o.attributes.get("class") == "filter")
    assert "hidden" not in control.attributes
    assert CLASSES[class_id - 1] in control.text
