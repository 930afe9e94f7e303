"""Write the README's tables: the settings as the code has them, the figures as they were measured.

`.venv/bin/python scripts/readme_tables.py [results/bench.json]`; without a report the figures stay.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from warm.settings import Settings, allowed  # noqa: E402

README = ROOT / "README.md"


def main(arguments: list[str]) -> None:
    """Rewrite the tables in place."""
    page = with_section(README.read_text("utf-8"), "settings", settings_table())
    for report in arguments:
        page = with_section(page, "figures", figures_table(json.loads(Path(report).read_bytes())))
    README.write_text(page, encoding="utf-8")


def with_section(page: str, name: str, content: str) -> str:
    """The page with what stands between a section's two marks replaced."""
    marks = re.compile(rf"(<!-- {name}:.*?-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return marks.sub(lambda found: f"{found[1]}{content}{found[2]}", page)


def settings_table() -> str:
    """One row a setting: name, default, what is allowed, what it does."""
    rows = ["| setting | default | allowed | |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        what = (field.description or "").replace("\n", " ").replace("|", "\\|")
        rows.append(f"| `{name}` | {default(field.default)} | {allowed(name)} | {what} |")
    return "\n".join(rows) + "\n"


def default(value: object) -> str:
    """A default as one would write it in YAML."""
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def figures_table(report: dict[str, Any]) -> str:
    """One row a figure, and on what it was measured."""
    machine = report["machine"]
    rows = [
        f"Measured by `make bench` on {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gb']:.0f} GB, Python {machine['python']}. "
        "Bold ones miss their goal.",
        "",
        "| figure | measured | goal | n |",
        "| --- | ---: | ---: | ---: |",
    ]
    return "\n".join([*rows, *(figure_row(figure) for figure in report["figures"])]) + "\n"


def figure_row(figure: dict[str, Any]) -> str:
    """One figure; bold when it misses its goal."""
    higher = figure["better"] == "higher"
    value, goal = figure["value"], figure["goal"]
    reached = value >= goal if higher else value <= goal
    shown = f"{value:.3g} {figure['unit']}" if value >= 0.001 or value == 0 else "under 0.001"
    sign = "≥" if higher else "≤"
    name = figure["name"].replace("|", "\\|")
    measured = shown if reached else f"**{shown}**"
    return f"| {name} | {measured} | {sign} {goal:g} {figure['unit']} | {figure['n']} |"


if __name__ == "__main__":
    main(sys.argv[1:])
