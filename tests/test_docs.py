"""The documentation says what is so: options, defaults, links, commands, the Python example."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from nital.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NEEDED = "needed"


def all_commands() -> dict[str, Any]:
    """Commands by the words that call them, those of groups such as ``train compact`` too."""
    found: dict[str, Any] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inside = getattr(command, "commands", None)
        found |= {f"{name} {n}": c for n, c in inside.items()} if inside else {name: command}
    return found


COMMANDS = all_commands()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def documented_options(command: str) -> dict[str, str]:
    """Option and what happens when it is left out, from the table of a command in usage.md."""
    usage = text_of(ROOT / "docs" / "usage.md")
    section = usage.split(f"\n## nital {command}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(--[\w-]+)` \| .+ \| (.+) \|$", section, re.M)
    return dict(rows)


def real_options(command: str) -> dict[str, Any]:
    return {
        next(name for name in option.opts if name.startswith("--")): option
        for option in COMMANDS[command].params
        if option.param_type_name == "option" and option.name != "help"
    }


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_is_documented_with_its_default(command: str) -> None:
    documented, real = documented_options(command), real_options(command)
    assert set(documented) == set(real)
    for name, option in real.items():
        said = documented[name]
        if option.required:
            assert said == NEEDED, name
        elif option.default is None or option.default is False:
            assert said != NEEDED, name
            assert not said.startswith("`"), name
        else:
            assert said == f"`{getattr(option.default, 'value', option.default)}`", name


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def commands_in(page: Path) -> list[list[str]]:
    lines = re.findall(r"^ {4}(?:\.venv/bin/)?nital (.+?)(?: {2,}#.*)?$", text_of(page), re.M)
    return [shlex.split(line) for line in lines]


def named(words: list[str]) -> str:
    return " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_shown_exist_with_their_options(page: Path) -> None:
    for words in commands_in(page):
        assert named(words) in COMMANDS, words
        known = {name for option in COMMANDS[named(words)].params for name in option.opts}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_every_command_is_shown() -> None:
    shown = {named(words) for page in PAGES for words in commands_in(page)}
    assert shown == set(COMMANDS)


def test_every_page_can_be_reached() -> None:
    index = text_of(ROOT / "docs" / "index.md")
    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "index.md":
            assert f"]({page.relative_to(ROOT / 'docs').as_posix()}" in index, page


def test_the_example_in_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    block = re.search(r"```python\n(.*?)```", text_of(ROOT / "README.md"), re.S)
    assert block is not None
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(block[1], "README.md", "exec"), {})
    assert "label" in capsys.readouterr().out
    assert (tmp_path / "out" / "ferrite" / "labels.tif").is_file()
