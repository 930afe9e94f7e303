"""The documents say what is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_settings_are_those_of_the_code() -> None:
    show = "import readme_tables; print(readme_tables.settings_tables())"
    done = subprocess.run(
        [sys.executable, "-c", show],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    told = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert done.stdout.strip() in told, "run `.venv/bin/python scripts/readme_tables.py`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_files_it_links_to_are_there(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)[^):]*\)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_document_is_in_the_index_and_the_index_in_the_readme() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    links = set(re.findall(r"\]\(([^)#:/]+\.md)", index))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= links
    assert "](docs/README.md)" in README


def test_its_make_targets_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"it"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    assert named <= targets
