"""Lip sync of the rendered pictures, measured by a landmark model.

Voice, engine and compositing are those of the product; the attention mesh, which calibrates the
engine, measures the composited pictures, and `bench faces` measures with the plain mesh as well.
`python -m bench.faces.lips --sentences 20 --out /tmp/lips` measures a subset.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure as Plot

from bench.avatars import TALKING_VIDEO, prepare_demo, prepare_talking_video
from bench.faces.lip_measures import (
    ROUND_VOWELS,
    WIDE_VOWELS,
    MeasuredSentence,
    bilabials_closed,
    lag_s,
    open_vowels_closed,
    pooled_gap,
    pooled_target,
    silent_gap,
    source_leak,
    spoken_gaps,
    target_correlation,
    vowel_widths,
    widest_a,
)
from bench.faces.lip_sentences import SENTENCES
from bench.faces.lip_tracking import heart_voices, measure_sentences, talking_video_gaps
from bench.figure import Figure
from bench.speech import time_sentences, word_sentences
from warm.engines.viseme.shape import FULL_GAP_IOD
from warm.face.landmarks import CLOSED_GAP_IOD

UNSEEN = (*time_sentences.MEASURED, *word_sentences.MEASURED)[:200]
"""Sentences on which no curve was tuned."""
OPENINGS = (("median gap", 50, 0.08, 0.12), ("95th percentile of the gap", 95, 0.25, 0.32))
"""Name, percentile and range of the gap of speaking people, IOD."""


def measure(out: Path) -> list[Figure]:
    """Measure all sentences on the demo portrait, and a quarter on the talking video if present."""
    figures = measure_portrait(out, len(SENTENCES)) + measure_heart(out, len(UNSEEN))
    return figures + (measure_video(out, len(SENTENCES) // 4) if TALKING_VIDEO.is_file() else [])


def measure_portrait(out: Path, count: int) -> list[Figure]:
    """Measure the first `count` sentences on the demo avatar."""
    with TemporaryDirectory() as folder:
        avatar = prepare_demo(Path(folder))
        sentences = list(measure_sentences(avatar, SENTENCES[:count]))
    plot(sentences, out / "lips_portrait.png")
    return [
        *sync_figures(sentences, "lips"),
        *shape_figures(sentences, "lips"),
        *opening_figures(sentences, "lips"),
    ]


def measure_heart(out: Path, count: int) -> list[Figure]:
    """Measure the first `count` unseen sentences in the voice `heart` on the demo avatar."""
    with TemporaryDirectory() as folder:
        avatar = prepare_demo(Path(folder))
        sentences = list(measure_sentences(avatar, UNSEEN[:count], heart_voices))
    plot(sentences, out / "lips_heart.png")
    prefix = "lips, heart"
    return [
        *sync_figures(sentences, prefix),
        *shape_figures(sentences, prefix),
        *opening_figures(sentences, prefix),
    ]


def measure_video(out: Path, count: int) -> list[Figure]:
    """Measure the first `count` sentences on the talking video, and the traces of its own mouth."""
    with TemporaryDirectory() as folder:
        avatar = prepare_talking_video(Path(folder))
        sentences = list(measure_sentences(avatar, SENTENCES[:count]))
        leak = source_leak(avatar, sentences, talking_video_gaps(avatar))
    plot(sentences, out / "lips_video.png")
    frames = len(pooled_gap(sentences))
    name = "video lips: correlation with the source's own mouth"
    return [
        *sync_figures(sentences, "video lips"),
        Figure.at_most(name, leak, "", 0.10, frames),
    ]


def sync_figures(sentences: Sequence[MeasuredSentence], prefix: str) -> list[Figure]:
    """Return closures and the correlation with the target."""
    closed, vowels = bilabials_closed(sentences), open_vowels_closed(sentences)
    correlation, frames = target_correlation(sentences), len(pooled_gap(sentences))
    closed_percent = 100 * float(np.mean(closed))
    name = f"{prefix}: correlation with the target curve"
    return [
        Figure.at_least(f"{prefix}: bilabials closed", closed_percent, "%", 100, len(closed)),
        Figure.at_most(f"{prefix}: closed in open vowels", sum(vowels), "", 0, len(vowels)),
        Figure.at_least(name, correlation, "", 0.97, frames),
    ]


def shape_figures(sentences: Sequence[MeasuredSentence], prefix: str) -> list[Figure]:
    """Return lag, the widest /a/, /i/ against /u/, and stillness in silence."""
    lag_ms = 1000 * abs(lag_s(sentences))
    gaps, still = widest_a(sentences), silent_gap(sentences)
    wide = vowel_widths(sentences, WIDE_VOWELS)
    narrow = vowel_widths(sentences, ROUND_VOWELS)
    spread, vowels = float(wide.mean() - narrow.mean()), len(wide) + len(narrow)
    median_gap, deviation = float(np.median(gaps)), still.std()
    frames = len(pooled_gap(sentences))
    return [
        Figure.at_most(f"{prefix}: lag behind the target curve", lag_ms, "ms", 10, frames),
        Figure.at_least(f"{prefix}: widest gap in /a/", median_gap, "IOD", 0.20, len(gaps)),
        Figure.at_least(f"{prefix}: width of /i/ - width of /u/", spread, "IOD", 0.12, vowels),
        Figure.at_most(
            f"{prefix}: gap's deviation in silence", deviation, "IOD", 0.006, len(still)
        ),
    ]


def opening_figures(sentences: Sequence[MeasuredSentence], prefix: str) -> list[Figure]:
    """Return the gaps while speaking; their goals are the ranges of speaking people."""
    gaps = np.concatenate([spoken_gaps(one) for one in sentences])
    figures = []
    for name, percent, low, high in OPENINGS:
        value, title = float(np.percentile(gaps, percent)), f"{prefix}: {name} while speaking"
        figures += [
            Figure.at_least(title, value, "IOD", low, len(gaps)),
            Figure.at_most(f"{title}, upper bound", value, "IOD", high, len(gaps)),
        ]
    return figures


def plot(sentences: Sequence[MeasuredSentence], path: Path) -> None:
    """Plot the gap of the first sentence with its target, and all frames against theirs."""
    sheet = Plot(figsize=(12, 4), layout="constrained")
    line, cloud = sheet.subplots(1, 2, width_ratios=(2, 1))
    first = sentences[0]
    line.plot(first.middles_s, first.target_gap, label="requested")
    line.plot(first.middles_s, first.gap, label="in the picture")
    line.axhline(CLOSED_GAP_IOD, color="grey", linewidth=0.5)
    line.set(title=first.speech.text, xlabel="s", ylabel="gap, IOD")
    line.legend()
    cloud.plot(pooled_target(sentences), pooled_gap(sentences), ".", markersize=1)
    cloud.plot([0, FULL_GAP_IOD], [0, FULL_GAP_IOD], color="grey", linewidth=0.5)
    cloud.set(xlabel="requested, IOD", ylabel="in the picture, IOD")
    sheet.savefig(path, dpi=100)


def main() -> None:
    """Measure a subset and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.faces.lips", description="Measure lip sync in the rendered pictures."
    )
    parser.add_argument("--sentences", type=int, default=20, help="how many of the 200")
    parser.add_argument("--avatar", choices=("portrait", "heart", "video"), default="portrait")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the plots")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    runs = {"portrait": measure_portrait, "heart": measure_heart, "video": measure_video}
    run = runs[arguments.avatar]
    for figure in run(arguments.out, arguments.sentences):
        sign = ">=" if figure.better == "higher" else "<="
        verdict = "ok" if figure.reached else "MISSED"
        value, goal = f"{figure.value:8.3f} {figure.unit:4}", f"{figure.goal:<6g}"
        print(f"{figure.name:50} {value} {sign} {goal} n={figure.n} {verdict}")


if __name__ == "__main__":
    main()
