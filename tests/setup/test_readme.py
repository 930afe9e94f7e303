"""The README says what is so."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_its_settings_are_those_of_the_code() -> None:
    show = "import readme_tables; print(readme_tables.settings_table())"
    done = subprocess.run(
        [sys.executable, "-c", show],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() in README, "run `.venv/bin/python scripts/readme_tables.py`"


def test_the_files_it_links_to_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert "docs/DESIGN.md" in links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_make_targets_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"it"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    assert named <= targets
