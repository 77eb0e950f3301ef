"""Rules of the package as a whole: what imports what, public names, docstrings, versions, size."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import nital

PACKAGE = Path(nital.__file__).parent
ROOT = Path(__file__).parents[1]

# The straight path: a stage imports only stages before it.
STAGES = (
    "errors",
    "micrograph",
    "io",
    "exchange",
    "prompts",
    "models",
    "masks",
    "generator",
    "boost",
    "segmentation",
    "classical",
    "polycrystals",
    "automatic",
    "detection",
    "metrology",
    "report",
    "run",
    "evaluation",
    "simulate",
    "training",
    "semantic",
    "cli",
)
NEEDS_TORCH = ("training", "semantic", "models.sam")
TORCH_HOMES = tuple(f"nital.{home}." for home in NEEDS_TORCH)
LATE = {"matplotlib", "onnxruntime", "pandas", "pyarrow", "torch"}
HEAVY = LATE | {"numpy", "scipy", "skimage", "tifffile", "PIL", "rsciio", "imagecodecs"}
LARGEST_MB = 12.4
LONGEST_FILE = 420
LONGEST_FUNCTION = 65


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def stage_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imported_at_the_top(file: Path) -> Iterator[str]:
    """Modules that importing a file imports: neither in functions nor for type checking only."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        inside = node.body if isinstance(node, ast.Try) else [node]
        for statement in inside:
            if isinstance(statement, ast.Import):
                yield from (alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom):
                yield statement.module or ""


def modules() -> list[str]:
    names = ["nital", *(m.name for m in pkgutil.walk_packages([str(PACKAGE)], prefix="nital."))]
    return [name for name in names if not f"{name}.".startswith(TORCH_HOMES)]


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that a fresh Python has loaded after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


class TestImports:
    def test_every_stage_has_its_place(self) -> None:
        found = {stage_of(file) for file in files()} - {"__init__", "__main__"}
        assert found == set(STAGES)

    @pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(PACKAGE)))
    def test_no_stage_imports_a_later_one(self, file: Path) -> None:
        own = stage_of(file)
        if own in ("__init__", "__main__"):
            return
        for name in imported_at_the_top(file):
            if name.startswith("nital."):
                other = name.split(".")[1]
                assert STAGES.index(other) <= STAGES.index(own), f"{file} imports {name}"

    def test_heavy_modules_are_imported_late(self) -> None:
        for file in files():
            name = module_name(file) + "."
            allowed = {"torch"} if name.startswith(TORCH_HOMES) else set()
            tops = {name.partition(".")[0] for name in imported_at_the_top(file)}
            assert not (tops & LATE) - allowed, file

    @pytest.mark.parametrize(
        "code", ["import nital", "import nital.cli", "dir(__import__('nital'))"]
    )
    def test_importing_loads_nothing_heavy(self, code: str) -> None:
        assert not loaded_by(code) & HEAVY

    def test_reading_loads_neither_models_nor_tables(self, tmp_path: Path) -> None:
        from PIL import Image

        Image.new("L", (70, 70), 9).save(tmp_path / "a.png")
        assert not loaded_by(f"import nital; nital.read({str(tmp_path / 'a.png')!r})") & LATE


class TestPublicNames:
    @pytest.mark.parametrize("name", modules())
    def test_every_public_name_resolves(self, name: str) -> None:
        module = importlib.import_module(name)
        public = getattr(module, "__all__", [])
        assert len(public) == len(set(public))
        for each in public:
            assert getattr(module, each) is not None

    def test_the_surface_is_what_is_declared(self) -> None:
        assert dir(nital) == sorted([*nital.__all__, "__version__"])
        assert set(nital.__all__) == set(nital._HOMES)
        with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
            nital.segmnt  # noqa: B018

    @pytest.mark.parametrize("name", sorted(nital.__all__))
    def test_every_public_name_is_documented(self, name: str) -> None:
        documented = inspect.getdoc(getattr(nital, name))
        assert documented
        assert documented.split("\n")[0].endswith((".", "..."))


def documented_functions() -> list[tuple[str, ast.FunctionDef]]:
    return [
        (f"{module_name(file)}.{node.name}", node)
        for file in files()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and "Parameters\n---" in (ast.get_docstring(node) or "")
    ]


def documented_parameters(doc: str) -> dict[str, str]:
    """Parameter names and what is said on them, in a numpydoc section without types."""
    section = re.search(r"Parameters\n-+\n(.*?)(?=\n\n\w[\w ]*\n-+\n|\Z)", doc, re.S)
    assert section is not None
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines():
        if re.fullmatch(r"\*{0,2}\w+(, \*{0,2}\w+)*", line):
            names = [name.strip("* ") for name in line.split(",")]
            entries |= dict.fromkeys(names, "")
        else:
            entries |= {name: f"{entries[name]} {line.strip()}".strip() for name in names}
    return entries


@pytest.mark.parametrize(
    ("name", "node"), documented_functions(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_documented_parameters_are_those_of_the_function(name: str, node: ast.FunctionDef) -> None:
    arguments = node.args
    real = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    real += [a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None]
    documented = documented_parameters(ast.get_docstring(node) or "")
    assert set(documented) <= set(real)
    assert [each for each in real if each in documented] == list(documented)
    assert all(documented.values())


class TestRelease:
    def test_one_version_everywhere(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        assert project["version"] == nital.__version__
        assert re.search(rf'^version: "?{re.escape(nital.__version__)}"?$', citation, re.M)
        assert f"## [{nital.__version__}]" in changelog

    def test_every_extra_is_in_all(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = project["optional-dependencies"]
        everything = re.fullmatch(r"nital\[(.*)\]", extras["all"][0])
        assert everything is not None
        assert set(everything[1].split(",")) == set(extras) - {"all", "dev"}

    def test_the_core_needs_neither_torch_nor_gpl(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        core = {re.split(r"[<>=\[]", need)[0] for need in project["dependencies"]}
        assert not core & {
            "torch",
            "torchvision",
            "transformers",
            "rosettasciio",
            "abtem",
            "hyperspy",
        }

    def test_no_index_address_anywhere(self) -> None:
        for name in ("pyproject.toml", "constraints.txt", "Makefile", ".ci/run", "README.md"):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert "index-url" not in text
            assert "find-links" not in text

    def test_the_installed_package_is_small_and_typed(self) -> None:
        sizes = {
            file: file.stat().st_size
            for file in PACKAGE.rglob("*")
            if file.is_file() and file.suffix != ".pyc"
        }
        assert sum(sizes.values()) <= LARGEST_MB * 1e6
        assert PACKAGE / "py.typed" in sizes


class TestReadability:
    def test_files_can_be_read_at_one_sitting(self) -> None:
        lengths = {file: file.read_text(encoding="utf-8").count("\n") for file in files()}
        assert {file: n for file, n in lengths.items() if n > LONGEST_FILE} == {}

    def test_functions_fit_on_a_screen(self) -> None:
        long = {}
        for file in files():
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    prose = len((ast.get_docstring(node, clean=False) or "").splitlines())
                    lines = (node.end_lineno or 0) - node.lineno + 1 - prose
                    if lines > LONGEST_FUNCTION:
                        long[f"{module_name(file)}.{node.name}"] = lines
        assert long == {}
