"""The README's commands exist and work as written, its table is that of the shipped run, every verb is documented."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.update_docs import with_table
from maskdesign.cli.main import VERBS, main
from maskdesign.jobs.config import load_config

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
COMMANDS = sorted(
    {line for page in PAGES.values() for line in re.findall(r"^\.venv/bin/maskdesign (.*)$", page, re.MULTILINE)}
)


def test_the_two_commands_come_first_and_are_targets():
    block = README.partition("```sh\n")[2].partition("```")[0].split("\n")
    makefile = (ROOT / "Makefile").read_text()
    assert block[:2] == ["make demo", "make test"]
    for command in block[:2]:
        assert f"\n{command.split()[1]}:" in makefile


def test_ci_runs_the_readmes_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_docs_are_worded_rightly(command, tmp_path, monkeypatch, capsys):
    """Run in an empty folder, a rightly worded command stops at its missing input, never at its wording."""
    monkeypatch.chdir(tmp_path)
    words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", command)]
    if "job.toml" in words:
        (tmp_path / "job.toml").write_text("seed = 3\n")
    assert main(words) in (0, 3), capsys.readouterr().err


def test_every_verb_is_documented():
    for verb in VERBS:
        assert re.search(rf"maskdesign {verb}\b|make {verb}\b", "\n".join(PAGES.values())), verb


def test_the_readmes_table_is_that_of_the_shipped_run():
    evaluation = json.loads((ROOT / "docs" / "demo" / "evaluation.json").read_text())
    assert with_table(README, evaluation) == README


def test_pictures_and_links_of_the_pages_exist():
    for name, page in PAGES.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page):
            assert (folder / target).exists(), f"{name} links {target}"


def test_three_pleat_template_is_the_default():
    assert load_config(ROOT / "print_templates" / "three_pleat.toml", ()) == load_config(None, ())
