"""The order of the rooms: imports only go down, in no circle, and no file grows past one subject."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src"
ROOMS = ["cli", "app", "experiments", "evaluation", "baselines", "generation", "training", "codec", "data", "models"]
GROUND = ["errors", "atomic", "progress", "wording", "settings", "locks", "native", "ranks", "threads"]
"""What every room may import, and what imports no room."""
MODEL_FLOORS = [
    ["patches"],
    ["ensemble", "files"],
    ["ride"],
    ["mcgsm", "slstm", "whitening", "neighborhood", "frontier"],
]
"""Within models, parts below RIDE know nothing of it."""


@cache
def imports() -> dict[str, set[str]]:
    """Every module of ride, with the modules of ride that it imports when it runs."""
    names = {_name(path): path for path in ROOT.glob("ride/**/*.py")}
    return {name: _imported(path, name, set(names)) for name, path in names.items()}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, name: str, modules: set[str]) -> set[str]:
    found = set()
    for node in _running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively; write the whole name"
            # `from package import thing`: the thing may be a module of its own.
            targets = [
                whole if (whole := f"{node.module}.{alias.name}") in modules else str(node.module)
                for alias in node.names
            ]
        else:
            continue
        found |= {target for target in targets if target in modules}
    return found - {name}


def _running(node: ast.AST):
    """All nodes but those under `if TYPE_CHECKING`, which never run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _running(child)


def _floor(module: str) -> int | None:
    """How deep a module lies; None for the package itself and `__main__`, which see everything."""
    parts = module.split(".")
    room = parts[1] if len(parts) > 1 else ""
    if room in ROOMS:
        return ROOMS.index(room)
    return len(ROOMS) if room in GROUND else None


def test_every_module_lies_in_a_known_room():
    strangers = {name for name in imports() if _floor(name) is None} - {"ride", "ride.__main__"}
    assert not strangers


@pytest.mark.parametrize("module", sorted(imports()))
def test_imports_go_down(module: str):
    own = _floor(module)
    if own is None:
        return
    for target in imports()[module]:
        theirs = _floor(target)
        assert theirs is not None, f"{module} imports {target}, the top of the package"
        assert own <= theirs, f"{module} imports {target}, which lies above it"


def test_parts_of_the_model_do_not_know_the_whole():
    floor = {f"ride.models.{name}": number for number, names in enumerate(MODEL_FLOORS) for name in names}

    def of(module: str) -> int | None:
        return floor.get(".".join(module.split(".")[:3]))

    for module, targets in imports().items():
        own = of(module)
        for target in targets if own is not None else ():
            theirs = of(target)
            assert theirs is None or own <= theirs, f"{module} imports {target}, which is built from it"


def test_no_module_imports_itself_through_others():
    # A module runs after the packages around it, but what they export is no need of its own.
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("path", sorted(ROOT.glob("ride/**/*.py")), ids=_name)
def test_files_keep_to_one_subject(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.name != "utils.py"
