"""The README and the pages that scripts/readme_tables.py writes."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
FIGURES = (ROOT / "docs" / "figures.md").read_text("utf-8")


def test_the_documented_settings_are_those_of_the_code() -> None:
    written = (ROOT / "docs" / "settings.md").read_text("utf-8")
    tables = printed("settings_tables()").strip()
    assert tables in written, "run `.venv/bin/python scripts/readme_tables.py`"


def printed(expression: str) -> str:
    """A value of scripts/readme_tables.py, which is not in a package."""
    show = f"import readme_tables; print(readme_tables.{expression})"
    done = subprocess.run(
        [sys.executable, "-c", show],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_document_is_in_the_index_and_the_index_in_the_readme() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    links = set(re.findall(r"\]\(([^)#:/]+\.md)", index))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= links
    assert "](docs/README.md)" in README


def test_the_figures_of_the_readme_are_among_all_figures() -> None:
    rows = re.findall(r"^\| .*\d \|$", figures_of(README), re.MULTILINE)
    assert rows
    assert set(rows) <= set(figures_of(FIGURES).splitlines())


def test_the_readme_has_every_headline_figure() -> None:
    rows = figures_of(README).splitlines()
    named = ast.literal_eval(printed("HEADLINES"))
    assert [name for name in named if not any(row.startswith(f"| {name} |") for row in rows)] == []


def figures_of(page: str) -> str:
    """The text between the markers of the figures."""
    found = re.search(r"<!-- figures:.*?-->\n(.*?)<!-- /figures -->", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120
