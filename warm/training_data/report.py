"""Report of a run: an HTML page with pictures and histograms, and the same facts as JSON."""

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from session.disk import replace_file
from warm.training_data.clip_writer import write_json
from warm.training_data.config import FPS, MAX_CLIP_FRAMES, PreprocessConfig
from warm.training_data.layout import Layout
from warm.training_data.source_record import SourceRecord
from warm.training_data.speakers import Speaker
from warm.training_data.write_errors import write_errors_explained

BINS, BAR_PX, CHART_PX = 20, 18, 90
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse}
td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
figure{margin:1rem 0}img{max-width:100%;border-radius:4px}figcaption{font-size:.9rem}
.bad{color:#a11}.charts{display:flex;flex-wrap:wrap;gap:2rem}svg text{font-size:10px}
@media (prefers-color-scheme:dark){body{background:#181818;color:#ddd}td,th{border-color:#444}
.bad{color:#f88}}
"""


def write_report(
    records: Sequence[SourceRecord],
    speakers: Sequence[Speaker],
    config: PreprocessConfig,
) -> None:
    """Write report.html and report.json; raises TrainingDataError."""
    layout = Layout(config)
    facts = report_facts(records, speakers, config)
    write_json(layout.report / "report.json", facts)
    page = html_page(facts)
    path = layout.report / "report.html"
    with write_errors_explained(path):
        replace_file(path, page.encode("utf-8", "backslashreplace"))


def report_facts(
    records: Sequence[SourceRecord],
    speakers: Sequence[Speaker],
    config: PreprocessConfig,
) -> dict[str, Any]:
    """Return everything that the report shows, as JSON values."""
    clips = [clip for record in records for clip in record.clips]
    seconds = sum(clip["stop"] - clip["start"] for clip in clips) / FPS
    return {
        "videos": len(records),
        "videos_used": sum(bool(record.clips) for record in records),
        "clips": len(clips),
        "seconds": seconds,
        "clip_frames": config.clip_frames,
        "notes": config_notes(config),
        "speakers": [
            {
                "name": each.name,
                "files": list(each.files),
                "why": each.why,
                "clips": list(each.stems),
                "validation": each.is_val,
                "why_validation": each.why_val,
            }
            for each in speakers
        ],
        "sources": [record.as_json() for record in records],
    }


def config_notes(config: PreprocessConfig) -> list[str]:
    """Return remarks about the configuration."""
    notes = []
    if config.clip_len_second * FPS > MAX_CLIP_FRAMES:
        notes.append(
            f"clip_len_second is {config.clip_len_second:g}; clips have at most 28 s, because the "
            "training reads the wrong sound for later frames."
        )
    if config.min_face_px < 200:
        notes.append(
            f"min_face_px is {config.min_face_px}; set data.min_face_size of the training, 150 or "
            "200 as shipped, to the same number."
        )
    return notes


def html_page(facts: dict[str, Any]) -> str:
    """Return the page; it refers to the pictures next to it and to nothing else."""
    body = [
        "<h1>Training data</h1>",
        f"<p>{counted(facts['clips'])}, {facts['seconds'] / 60:.1f} minutes, from "
        f"{facts['videos_used']} of {facts['videos']} videos.</p>",
        *(f"<p>{escape(note)}</p>" for note in facts["notes"]),
        charts(facts["sources"]),
        reason_table(facts["sources"]),
        speaker_table(facts["speakers"]),
        *(section(source) for source in facts["sources"]),
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Training data</title>"
        '<meta name=viewport content="width=device-width">'
        f"<style>{STYLE}</style><body>{''.join(body)}\n"
    )


def charts(sources: Sequence[dict[str, Any]]) -> str:
    """Return histograms of all clips."""
    clips = [clip for source in sources for clip in source["clips"]]
    if not clips:
        return ""
    quality = [clip["quality"] for clip in clips]
    drawn = [
        histogram("length, s", [(clip["stop"] - clip["start"]) / FPS for clip in clips]),
        histogram("width of the crop, px", [each["face_px"] for each in quality]),
        histogram("agreement of lips and sound", [each["sync"]["correlation"] for each in quality]),
        histogram("sharpness", [each["sharpness"] for each in quality]),
    ]
    return f"<h2>Clips</h2><div class=charts>{''.join(drawn)}</div>"


def histogram(title: str, values: Sequence[float]) -> str:
    """Return a histogram as SVG."""
    counts, edges = np.histogram(values, bins=BINS)
    top = max(1, int(counts.max()))
    bars = "".join(
        f"<rect x={BAR_PX * index} width={BAR_PX - 2} y={CHART_PX - height:.1f} "
        f"height={height:.1f} fill=#4a7ebb><title>{count}</title></rect>"
        for index, count in enumerate(counts.tolist())
        for height in [CHART_PX * count / top]
    )
    width = BAR_PX * BINS
    return (
        f"<figure><svg width={width} height={CHART_PX + 16} role=img>{bars}"
        f"<text y={CHART_PX + 13} fill=currentColor>{edges[0]:.4g}</text>"
        f"<text x={width} y={CHART_PX + 13} text-anchor=end fill=currentColor>{edges[-1]:.4g}"
        f"</text></svg><figcaption>{title}; highest bar: {top}</figcaption></figure>"
    )


def reason_table(sources: Sequence[dict[str, Any]]) -> str:
    """Return the seconds that were left out in all videos by reason."""
    frames: Counter[str] = Counter()
    for source in sources:
        frames.update(source["unusable"])
        for part in source["rejected"]:
            frames[part["reasons"][0].partition(":")[0]] += part["stop"] - part["start"]
    rows = "".join(
        f"<tr><td>{escape(reason)}<td>{count / FPS:.1f}" for reason, count in frames.most_common()
    )
    return f"<h2>Left out</h2><table><tr><th>reason<th>seconds{rows}</table>" if rows else ""


def counted(number: int) -> str:
    """Return a number of clips in words."""
    return f"{number} clip" if number == 1 else f"{number} clips"


def speaker_table(speakers: Sequence[dict[str, Any]]) -> str:
    """Return the speakers with their part of the split."""
    rows = "".join(
        f"<tr><td>{escape(each['name'])}<td>{escape(', '.join(each['files']))}"
        f"<td>{escape(each['why'])}<td>{len(each['clips'])}"
        f"<td>{escape('validation: ' + each['why_validation'] if each['validation'] else 'train')}"
        for each in speakers
    )
    return (
        "<h2>Speakers</h2><p>All clips of a speaker are in the same list. Each video is a speaker "
        "of its own, unless a reason to join it with others is given.</p><table>"
        f"<tr><th>speaker<th>files<th>joined because<th>clips<th>list{rows}</table>"
    )


def section(source: dict[str, Any]) -> str:
    """Return the results of one video."""
    parts = [f"<h2>{escape(source['file'])}</h2>"]
    if source["problem"]:
        return f"{parts[0]}<p class=bad>Not used: {escape(source['problem'])}</p>"
    width, height = source["size"]
    length = f"{source['frames'] / FPS:.1f} s at {width}x{height}"
    parts.append(f"<p>{escape(source['name'])}: {length}, {counted(len(source['clips']))}.</p>")
    parts += [f"<p>{escape(note)}</p>" for note in source["notes"]]
    if source["unusable"]:
        left = (f"{frames / FPS:.1f} s {why}" for why, frames in source["unusable"].items())
        parts.append(f"<p>Left out: {escape('; '.join(left))}.</p>")
    parts += [figure(clip["stem"], clip, "") for clip in source["clips"]]
    for each in source["rejected"]:
        parts.append(figure(each["sheet"], each, "; ".join(each["reasons"])))
    return "".join(parts)


def figure(stem: str, part: dict[str, Any], reasons: str) -> str:
    """Return the contact sheet of a clip, or of a part that was left out for `reasons`."""
    quality, sync = part["quality"], part["quality"]["sync"]
    numbers = (
        f"{part['start'] / FPS:.2f} to {part['stop'] / FPS:.2f} s, "
        f"{part['stop'] - part['start']} frames, crop at least {quality['face_px']} px wide, "
        f"sharpness {quality['sharpness']:.2f}, lips and sound {sync['correlation']:.2f}"
    )
    bad = f"<br><span class=bad>Left out: {escape(reasons)}</span>" if reasons else ""
    return (
        f'<figure><img loading=lazy alt="faces of {escape(stem)}" '
        f'src="pictures/{escape(stem)}.jpg"><figcaption>{escape(stem)}: {numbers}{bad}'
        "</figcaption></figure>"
    )
