"""Write the tables of the documents: settings as the code has them, figures as they were measured.

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
SETTINGS = ROOT / "docs" / "settings.md"
FIGURES = ROOT / "docs" / "figures.md"

HEADLINES = (
    "POST /speak -> first durable fragment (SSE), p50",
    "POST /speak -> first durable fragment (SSE), p95",
    "POST /speak -> first durable fragment (SSE), 40 sentences against 1",
    "POST /speak -> picture moving in the page, p95",
    "append -> picture in Chromium, starved player, MSE, p95",
    "interrupt -> last frame, one session, p95",
    "audio -> encoded frames (mouth, composite, H.264, AAC, append)",
    "start, everything set up -> /health 200",
    "append (write + 2 fsync) p95, at 10 h",
    "skew of click against flash after 1000 clips, timestamps",
    "lips: correlation with the target curve",
    "resident memory after 200 clips",
)
"""Figures that the README shows too."""


def main(arguments: list[str]) -> None:
    """Rewrite the tables in place."""
    write_section(SETTINGS, "settings", settings_table())
    for path in arguments:
        report = json.loads(Path(path).read_bytes())
        write_section(FIGURES, "figures", figures_table(report, report["figures"]))
        headlines = [figure for figure in report["figures"] if figure["name"] in HEADLINES]
        write_section(README, "figures", figures_table(report, headlines))


def write_section(page: Path, name: str, content: str) -> None:
    """Replace what stands between a section's two marks."""
    marks = re.compile(rf"(<!-- {name}:.*?-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    whole = marks.sub(lambda found: f"{found[1]}{content}{found[2]}", page.read_text("utf-8"))
    page.write_text(whole, encoding="utf-8")


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


def figures_table(report: dict[str, Any], figures: list[dict[str, Any]]) -> str:
    """One row a figure, and on what the report was measured."""
    machine = report["machine"]
    rows = [
        f"Measured by `make bench` on {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gb']:.0f} GB, Python {machine['python']}. "
        "Bold ones miss their goal.",
        "",
        "| figure | measured | goal | n |",
        "| --- | ---: | ---: | ---: |",
    ]
    return "\n".join([*rows, *(figure_row(figure) for figure in figures)]) + "\n"


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
