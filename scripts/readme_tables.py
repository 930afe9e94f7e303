"""Write the tables of the documents: settings as the code has them, figures as they were measured.

`.venv/bin/python scripts/readme_tables.py [results/bench.json]`; without a report the figures stay.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from warm.settings import Settings, allowed  # noqa: E402

README = ROOT / "README.md"
SETTINGS = ROOT / "docs" / "settings.md"
FIGURES = ROOT / "docs" / "figures.md"

LINE_CHARS = 118
"""Longest line of a page that is written here."""
GROUPS = {
    "avatar_id": "Avatar and preparation",
    "blend_mode": "Placing the mouth",
    "engine": "Engine",
    "models_dir": "Models",
    "batch_size": "Rendering and memory",
    "voice": "Voice",
    "tts_url": "Speech server",
    "coqui_voices": "Coqui models",
    "chat_url": "Language model",
    "transcriber": "Speech recognition",
    "max_text_chars": "Limits of requests",
    "max_sessions": "Sessions and films",
    "max_queue_size": "Jobs",
    "max_watchers": "Viewers, health and shutdown",
    "max_live_viewers": "Live watching",
    "results_dir": "Paths and network",
    "head": "Several heads",
}
"""The heading of each group of settings, by the name of its first one."""
HEADLINES = (
    "POST /speak -> first durable fragment (SSE), p95",
    "POST /speak -> picture moving in the page, p95",
    "interrupt -> last frame, one session, p95",
    "audio -> encoded frames (mouth, composite, H.264, AAC, append)",
    "start, everything set up -> /health 200",
    "lips: correlation with the target curve",
    "resident memory after 200 clips",
)
"""Figures that the README shows too."""


def main(arguments: list[str]) -> None:
    """Rewrite the tables in place."""
    write_section(SETTINGS, "settings", settings_tables())
    for path in arguments:
        report = json.loads(Path(path).read_bytes())
        write_section(FIGURES, "figures", figures_table(report, report["figures"]))
        headlines = [figure for figure in report["figures"] if figure["name"] in HEADLINES]
        write_section(README, "figures", figures_table(report, headlines))


def write_section(page: Path, name: str, content: str) -> None:
    """Replace the text between the two markers of a section."""
    marks = re.compile(rf"(<!-- {name}:.*?-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    whole = marks.sub(lambda found: f"{found[1]}{content}{found[2]}", page.read_text("utf-8"))
    page.write_text(whole, encoding="utf-8")


def settings_tables() -> str:
    """For each group of settings a heading, a table of names and defaults, and descriptions."""
    parts = (f"### {heading}\n\n{settings_group(names)}" for heading, names in groups())
    return "\n".join(parts)


def groups() -> Iterator[tuple[str, list[str]]]:
    """Heading and names of each group, in the order of the code."""
    names = list(Settings.model_fields)
    starts = [names.index(name) for name in GROUPS]
    for heading, start, end in zip(GROUPS.values(), starts, [*starts[1:], len(names)], strict=True):
        yield heading, names[start:end]


def settings_group(names: list[str]) -> str:
    """The table of some settings, then one paragraph per setting."""
    rows = ["| setting | default | allowed |", "| --- | --- | --- |"]
    rows += [
        f"| `{name}` | {default(Settings.model_fields[name].default)} | {allowed(name)} |"
        for name in names
    ]
    return "\n".join([*rows, "", *map(description, names)]) + "\n"


def description(name: str) -> str:
    """A list item: what a setting does, wrapped."""
    text = " ".join((Settings.model_fields[name].description or "").split())
    return textwrap.fill(
        f"- `{name}`: {text}",
        LINE_CHARS,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def default(value: object) -> str:
    """A default as written in YAML."""
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def figures_table(report: dict[str, Any], figures: list[dict[str, Any]]) -> str:
    """One row per figure, and the machine that the report was measured on."""
    machine = report["machine"]
    rows = [
        f"Measured by `make bench` on {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gb']:.0f} GB, Python {machine['python']}. "
        "Figures in bold miss their goal.",
        "",
        "| figure | measured | goal | n |",
        "| --- | ---: | ---: | ---: |",
    ]
    return "\n".join([*rows, *(figure_row(figure) for figure in figures)]) + "\n"


def figure_row(figure: dict[str, Any]) -> str:
    """One figure; bold when it misses its goal. A long name takes a row of its own."""
    higher = figure["better"] == "higher"
    value, goal = figure["value"], figure["goal"]
    reached = value >= goal if higher else value <= goal
    shown = f"{value:.3g} {figure['unit']}" if value >= 0.001 or value == 0 else "under 0.001"
    wanted = f"{'≥' if higher else '≤'} {goal:g} {figure['unit']}"
    name = figure["name"].replace("|", "\\|")
    measured = shown.strip() if reached else f"**{shown.strip()}**"
    cells = f"| {measured} | {wanted.strip()} | {figure['n']} |"
    row = f"| {name} {cells}"
    if len(row.encode()) <= LINE_CHARS:
        return row
    first, _, rest = name.rpartition(": " if ": " in name else ", ")
    return f"| {first}: | | | |\n| … {rest} {cells}"


if __name__ == "__main__":
    main(sys.argv[1:])
