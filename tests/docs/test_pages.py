"""The pages hold together: links lead somewhere, nothing is missing or out of date."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
from pages import PAGES, ROOT, blocks, text
from PIL import Image

from wsss_cli.cli import demo

LARGEST_PICTURE = 160_000  # bytes
README_WORDS = 520
MOST_WORDS_EXPLAINED = 15


def _options_page() -> dict[str, object]:
    return runpy.run_path(str(ROOT / "scripts" / "write_options_docs.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", content):
        if re.match(r"[a-z]+://", target):
            continue
        name, _, heading = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if heading:
            assert heading in _headings(path.read_text(encoding="utf-8")), target


def test_every_page_is_linked_from_the_readme_or_a_page_that_is() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        for target in re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            if "://" not in target and path not in reached:
                todo.append(path)
    assert set(PAGES) <= reached


def test_pictures_open_and_are_small() -> None:
    for path in (ROOT / "docs" / "images").iterdir():
        with Image.open(path) as picture:
            picture.load()
        assert path.stat().st_size < LARGEST_PICTURE, path


def test_the_page_of_options_is_what_the_commands_have() -> None:
    written = _options_page()
    page = written["page"]
    assert callable(page)
    assert text("docs/options.md") == page(), "run python scripts/write_options_docs.py"


def test_every_option_of_every_command_is_documented() -> None:
    commands = _options_page()["commands"]
    assert callable(commands)
    documented = set(re.findall(r"--[a-z][\w-]*", text("docs/options.md")))
    for name, command in commands():
        for parameter in command.params:
            names = {word for word in parameter.opts if word.startswith("--")}
            assert getattr(parameter, "hidden", False) or names <= documented, (name, names)


def test_every_command_is_explained() -> None:
    commands = _options_page()["commands"]
    assert callable(commands)
    usage = text("docs/usage.md")
    for name, _ in commands():
        assert f"`{name}`" in usage, name


def test_the_readme_is_one_screen_with_a_picture_and_the_chain() -> None:
    readme = text("README.md")
    assert len(readme.split()) <= README_WORDS
    assert "docs/images/chain.png" in readme
    chains = [block for block in blocks("README.md", "sh") if "wsss train" in block]
    lines = [shlex.split(line, comments=True) for line in chains[0].splitlines()]
    assert [words[1] for words in lines] == ["train", "attend", "proxy", "segment", "evaluate"]
    # The line that .ci/run takes from here.
    assert re.search(r"^python3 -m venv .*pytest$", readme, flags=re.MULTILINE)


def test_the_readme_shows_what_the_demonstration_prints() -> None:
    """Every line shown is a line of the table that the command makes of these scores."""
    scores = {
        "cam": {"attention": 0.579, "attention_best": 0.646, "proxy": 0.573},
        "seenet": {"attention": 0.628, "attention_best": 0.629, "proxy": 0.671},
        "proxy_baselines": {"saliency_best_label": 0.521},
        "prediction_baselines": {},
        "prediction": 0.667,
        "prediction_crf": 0.715,
        **{"threshold": 0.3, "data": "", "run": "", "seconds": 0},
    }
    printed = demo._table(scores, Path("wsss-demo")).splitlines()
    (shown,) = (block for block in blocks("README.md", "") if "mIoU" in block)
    assert set(shown.splitlines()) <= set(printed)


def test_the_glossary_is_short() -> None:
    explained = re.findall(r"^\| \*\*(.+?)\*\*", text("docs/glossary.md"), flags=re.MULTILINE)
    assert 10 <= len(explained) <= MOST_WORDS_EXPLAINED
    assert len(set(explained)) == len(explained)


def _headings(content: str) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", content, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "name", ["docs/architecture.md", "docs/architecture-notes.md", "CONTRIBUTING.md"]
)
def test_modules_named_exist(name: str) -> None:
    """A module is named by its path in the package, or by its file beside the one named before."""
    folders = [ROOT / folder for folder in ("wsss_cli", "tests", "scripts")]
    files = {f"/{path.relative_to(ROOT)}" for folder in folders for path in folder.rglob("*")}
    files |= {f"/{folder.name}" for folder in folders}
    for module in re.findall(r"`([\w/]+(?:\.py|/))`", text(name)):
        if "STAGE" in module or "NAME" in module:
            continue
        ending = f"/{module.rstrip('/')}"
        assert any(file.endswith(ending) for file in files), module
