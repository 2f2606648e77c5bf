"""Imports point one way: objectives → models → modules, and objectives → data, losses, generation, scoring."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "mass_plugins"
# room → rooms that its files may import from; the files beside the rooms are rooms of their own
MAY_IMPORT = {
    "__init__": {"compat", "models", "objectives", "generation", "encoding"},
    "__main__": {"cli"},
    "alignment": {"alignment", "errors"},
    "cli": {"commands", "errors"},
    "commands": {
        "alignment",
        "commands",
        "errors",
        "doctor",
        "scoring",
        "generation",
        "data",
        "encoding",
        "interop",
        "retrieval",
        "__init__",
    },  # fmt: skip
    "compat": {"compat", "errors"},
    "data": {"data", "errors"},
    "devices": {"errors"},
    "doctor": set(),
    "encoding": {"encoding", "retrieval", "models", "modules", "data", "devices", "errors"},
    "errors": set(),
    "generation": {"generation", "models", "modules", "data", "devices", "errors"},
    "interop": {"interop", "encoding", "models", "modules", "data", "generation", "compat", "errors"},
    "losses": {"losses", "modules", "errors"},
    "models": {"models", "modules", "data", "errors"},
    "modules": {"modules"},
    "objectives": {"objectives", "models", "modules", "data", "losses", "generation", "scoring", "errors"},
    "retrieval": {"retrieval", "data", "errors"},
    "scoring": {"scoring", "data", "errors", "doctor"},  # Moses' words; versions and hardware of a result
}
# nothing of fairseq's: mathematics, scores and masks stand by themselves
WITHOUT_FAIRSEQ = ("losses/*.py", "alignment/*.py", "scoring/*.py", "data/*mask*.py", "data/noise.py",
                   "data/symbols.py", "data/vocabulary.py",
                   "data/random_state.py", "data/languages.py", "data/text.py", "data/text_files.py",
                   "data/seen_hashes.py", "data/progress.py", "data/string_augmentation.py", "errors.py",
                   "modules/all_gather.py", "modules/attention.py", "modules/pooling.py", "modules/self_attention.py",
                   "data/dictionary_hash.py", "modules/language_embeddings.py", "modules/language_projections.py",
                   "data/growing.py", "modules/enhanced_decoder.py",
                   "modules/vocabulary_maximum.py", "modules/rank_batch_norm.py", "modules/contrast_head.py",
                   "/retrieval/*.py", "data/retrieval*.py", "data/lines_by_place.py")  # fmt: skip
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imported(path):
    """Full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            if node.module == "mass_plugins":
                yield from (f"mass_plugins.{alias.name}" for alias in node.names)
            else:
                yield node.module


def room(name):
    """``mass_plugins.data.text`` → ``data``; the package itself and what it holds → ``__init__``."""
    first = (name.split(".") + [""])[1]
    return first if first and ((PACKAGE / first).is_dir() or (PACKAGE / f"{first}.py").exists()) else "__init__"


def test_there_are_files():
    assert Path("objectives/mass_pretraining/task.py") in FILES


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_one_way(path):
    own = path.parts[0].removesuffix(".py")
    rooms = {room(name) for name in imported(path) if name.split(".")[0] == "mass_plugins"}
    extra = rooms - MAY_IMPORT[own]
    assert not extra, f"{path} imports from {', '.join(sorted(extra))}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] == "objectives"], ids=str)
def test_objectives_do_not_import_each_other(path):
    """What two objectives share are the files beside their folders, and no more."""
    shared = {file.stem for file in (PACKAGE / "objectives").glob("*.py")}
    for name in imported(path):
        if name.startswith("mass_plugins.objectives."):
            assert name.split(".")[2] in {path.parts[1], *shared}, f"{path} imports {name}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if any((Path("/") / path).match(pattern) for pattern in WITHOUT_FAIRSEQ)], ids=str
)
def test_without_fairseq(path):
    assert not [name for name in imported(path) if name.split(".")[0] == "fairseq"]


def test_doctor_needs_the_standard_library_alone():
    """At its top; what it examines it imports where it does."""
    tree = ast.parse((PACKAGE / "doctor.py").read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in top for alias in node.names if isinstance(node, ast.Import)}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
