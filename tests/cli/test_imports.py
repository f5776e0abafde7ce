"""Imports point down only, and the command line answers without torch."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from conftest import Command, clean_environment

import wsss_cli
from wsss_cli.configs.stages import CHAIN

PACKAGE = Path(wsss_cli.__file__).parent
# From the bottom to the top, as in docs/architecture.md.
LAYERS = (
    (
        *("errors", "labels", "reserved_names", "tracking", "configs", "device", "ranks"),
        *("command_line", "stop_signals", "schemas"),
    ),
    ("ops", "metrics", "artifacts"),
    ("models", "data"),
    ("methods",),
    ("stages",),
    ("inspect",),
    ("chains",),
    ("cli",),
    ("api",),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
HEAVY = ("torch", "torchvision", "numpy", "h5py", "cv2", "PIL", "matplotlib", "jinja2", "filelock")
# What would take as long as the rest of a help; Typer imports Pydantic for values to be checked.
NOT_FOR_HELP = (*HEAVY, "pydantic", "wsss_cli.api")


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text("utf-8"))


MODULES = dict(_modules())


def _targets(node: ast.AST) -> list[str]:
    """Modules that an import statement names; a name imported from a package may be one too."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative import"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in MODULES else str(node.module) for name in names]
    return []


def _imports(tree: ast.Module) -> set[str]:
    return {target for node in ast.walk(tree) for target in _targets(node)}


def _module_level_imports(tree: ast.Module) -> set[str]:
    return {target for node in tree.body for target in _targets(node)}


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _top(module: str) -> str:
    return module.split(".")[0]


def _stage(module: str) -> str:
    """The stage whose module, or one of whose modules, this is."""
    return module.split(".")[2]


def _inner(module: str) -> bool:
    return module.startswith("wsss_cli.")


def test_every_room_has_a_place() -> None:
    assert {_room(name) for name in MODULES if _inner(name)} == set(RANK)


def _modules_of(*rooms: str) -> list[str]:
    return [name for name in MODULES if _room(name) in rooms]


def _lowest() -> list[str]:
    return [name for name in MODULES if _inner(name) and RANK[_room(name)] == 0]


def _is_allowed(module: str, target: str) -> bool:
    """Whether an import stays in its room, goes down, or stays among the lowest rooms."""
    here, there = RANK[_room(module)], RANK[_room(target)]
    return _room(module) == _room(target) or there < here or there == here == 0


def test_imports_point_down() -> None:
    upward = [
        f"{module} imports {target}"
        for module in filter(_inner, MODULES)
        for target in filter(_inner, _imports(MODULES[module]))
        if not _is_allowed(module, target)
    ]
    assert not upward


def test_methods_do_not_import_their_siblings() -> None:
    shared = {"wsss_cli.methods", "wsss_cli.methods.protocol"}
    papers = set(_modules_of("methods")) - {"wsss_cli.methods.network_file"}
    imported = {module: _imports(MODULES[module]) & (papers - shared) for module in papers}
    assert not {module: names for module, names in imported.items() if names}


def test_only_artifacts_import_h5py() -> None:
    importing = {m for m in MODULES if any(_top(t) == "h5py" for t in _imports(MODULES[m]))}
    assert importing
    assert importing <= set(_modules_of("artifacts"))


def test_lowest_rooms_need_the_standard_library_only() -> None:
    foreign = [
        f"{module} imports {target}"
        for module in _lowest()
        for target in _module_level_imports(MODULES[module])
        if not _inner(target) and _top(target) not in sys.stdlib_module_names
    ]
    assert not foreign


def test_command_line_imports_nothing_heavy() -> None:
    above_configs = {"stages", "inspect", "chains", "models", "data", "ops", "metrics"}
    for module in _modules_of("cli"):
        tree = MODULES[module]
        assert not {t for t in _imports(tree) if _top(t) in HEAVY}, module
        rooms = {_room(target) for target in _module_level_imports(tree) if _inner(target)}
        assert not rooms & above_configs, module


def test_nobody_imports_click() -> None:
    """Typer brings its own copy from 0.26 on."""
    assert not [m for m in MODULES if any(_top(t) == "click" for t in _imports(MODULES[m]))]


def test_only_the_command_line_prints_and_reads_arguments() -> None:
    for module in (name for name in MODULES if _room(name) not in ("cli", "__main__")):
        for node in ast.walk(MODULES[module]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("print", "input"), module
            stream = isinstance(node, ast.Attribute) and node.attr in ("argv", "stdout", "stderr")
            assert not stream, module


def test_stages_do_not_run_each_other() -> None:
    for module in _modules_of("stages"):
        for node in ast.walk(MODULES[module]):
            if isinstance(node, ast.ImportFrom):
                names = {alias.name for alias in node.names}
                source = str(node.module)
                assert source != "wsss_cli.stages", module
                if _room(source) == "stages" and _stage(source) != _stage(module):
                    assert not names & {"run", "prepare"}, module


_HELPS = """
import contextlib, io, json, sys
from wsss_cli.cli.app import app
found = {}
lines = [[], *([name] for name in app.commands)]
lines += [["data", name] for name in app.commands["data"].commands]
for line in lines:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            app([*line, "--help"])
        except SystemExit as stop:
            assert not stop.code, stop.code
    heavy = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
    found[" ".join(line)] = said.getvalue(), heavy
print(json.dumps(found))
"""


def test_help_of_every_command_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HELPS, json.dumps(NOT_FOR_HELP)],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    helps = json.loads(done.stdout)
    assert helps.keys() >= {"", *CHAIN, "data", "data check"}
    for line, (said, heavy) in helps.items():
        assert not heavy, line
        assert said.startswith("Usage:")
        assert "Examples:" in said, line


def test_a_help_makes_no_other_command() -> None:
    code = (
        "import sys\n"
        "from wsss_cli.cli.app import app\n"
        "app(['segment', '--help'], standalone_mode=False)\n"
        "sys.exit(sum(name.startswith('wsss_cli.cli.show') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_installed_command_tells_its_version(fresh: Command) -> None:
    outcome = fresh("--version")
    assert outcome.code == 0
    assert outcome.out == f"wsss {wsss_cli.__version__}\n"
