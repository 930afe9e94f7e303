"""Report of all faces: `faces.json` and a page that opens from the disk."""

import json
import math
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Literal

from bench.faces.gallery.ranged_figure import RangedFigure

STYLE = """
body { font: 15px/1.4 sans-serif; margin: 1.5em; }
table { border-collapse: collapse; }
th, td { border: 1px solid #bbb; padding: .2em .5em; text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
td.missed { background: #fdd; font-weight: bold; }
td.message { text-align: left; }
img { max-width: 100%; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceResult:
    """One row of the report."""

    file: str
    status: Literal["measured", "refused", "failed"]
    """failed: an unexpected error, or out of time."""
    message: str = ""
    """Reason of a refusal or failure."""
    remarks: list[str] = field(default_factory=list)
    """Findings of the preparation."""
    figures: list[RangedFigure] = field(default_factory=list)
    sheet: str = ""
    """Path of the contact sheet, relative to the page."""
    seconds: float = 0.0
    """Time spent on the face."""


def write_report(results: list[FaceResult], folder: Path) -> None:
    """Write `faces.json` and `index.html` atomically."""
    content = {"faces": [result_json(result) for result in results]}
    replace_file(folder / "faces.json", json.dumps(content, indent=2) + "\n")
    replace_file(folder / "index.html", page(results))


def replace_file(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new content."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def result_json(result: FaceResult) -> dict[str, object]:
    """Return a row as JSON, with the verdict on each figure."""
    figures = [
        {**asdict(one), "value": none_if_nan(one.value), "reached": one.reached}
        for one in result.figures
    ]
    return {**asdict(result), "figures": figures}


def none_if_nan(value: float) -> float | None:
    """Return None for a value that JSON cannot hold."""
    return None if math.isnan(value) else value


def page(results: list[FaceResult]) -> str:
    """Return the page: a table of all figures, then the sheets."""
    names = list(dict.fromkeys(one.name for result in results for one in result.figures))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Faces</title>
<style>{STYLE}</style>
<h1>Faces</h1>
<p>{summary(results)} Missed goals are marked.</p>
<table>
{table_head(results)}
{"".join(figure_row(name, results) for name in names)}
</table>
{"".join(section(result) for result in results)}
</html>
"""


def summary(results: list[FaceResult]) -> str:
    """Return the numbers of faces by status."""
    counts = {
        status: sum(result.status == status for result in results)
        for status in ("measured", "refused", "failed")
    }
    return ", ".join(f"{count} {status}" for status, count in counts.items()) + "."


def table_head(results: list[FaceResult]) -> str:
    """Return the row of names, linked to their sections."""
    cells = "".join(
        f'<th><a href="#{escape(result.file)}">{escape(Path(result.file).stem)}</a></th>'
        for result in results
    )
    return f"<tr><th>figure</th><th>goal</th>{cells}</tr>"


def figure_row(name: str, results: list[FaceResult]) -> str:
    """Return one figure of all faces as a row."""
    found = [{one.name: one for one in result.figures}.get(name) for result in results]
    goals = {f"{one.goal} {one.unit}".strip() for one in found if one is not None}
    cells = "".join(figure_cell(one) for one in found)
    return f"<tr><td>{escape(name)}</td><td>{escape(' or '.join(sorted(goals)))}</td>{cells}</tr>\n"


def figure_cell(figure: RangedFigure | None) -> str:
    """Return the cell of a figure; empty for a face that does not have it."""
    if figure is None:
        return "<td></td>"
    mark = "" if figure.reached else ' class="missed"'
    return f"<td{mark}>{figure.value:.3g}</td>"


def section(result: FaceResult) -> str:
    """Return the remarks and the sheet of one face."""
    status = f"<strong>{result.status}</strong> {escape(result.message)}"
    lines = [status, *map(escape, result.remarks)]
    link = f'<a href="{result.sheet}"><img src="{result.sheet}" alt="contact sheet"></a>'
    return (
        f'<h2 id="{escape(result.file)}">{escape(result.file)}</h2>\n'
        f"<p>{'<br>'.join(lines)}</p>\n{link if result.sheet else ''}\n"
    )
