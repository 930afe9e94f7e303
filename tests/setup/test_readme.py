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
    show = "import readme_tables; print(readme_tables.settings_table())"
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
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    links = re.findall(r"\]\(docs/([^)#:]+\.md)", README)
    assert {document.name for document in DOCUMENTS[1:]} <= set(links)


def test_its_make_targets_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"it"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    assert named <= targets
