"""Verdict of a preparation: how good the avatar will look, and why it will not look better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "turned",
    "several_faces",
    "shortened",
    "cut",
    "mouth_covered",
    "mouth_open",
    "cut_off",
    "turned_away",
    "blurred",
    "dark",
    "background_unsure",
]
Effect = Literal["none", "visible", "severe"]
Summary = Literal["good", "usable", "poor"]
SUMMARIES: dict[Effect, Summary] = {"none": "good", "visible": "usable", "severe": "poor"}


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding about the source of an avatar."""

    kind: Kind
    message: str
    """Sentences for the user: the finding, its effect, and the remedy."""
    effect: Effect = "visible"
    """Loss of quality that viewers will see."""
    times_s: tuple[tuple[float, float], ...] = ()
    """(first, end) seconds of the source, if the finding concerns only parts of it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings of one preparation."""

    remarks: tuple[Remark, ...] = ()

    @property
    def summary(self) -> Summary:
        """good: nothing will look wrong; usable: something will; poor: all or most of it."""
        order = list(SUMMARIES)
        worst = max((order.index(remark.effect) for remark in self.remarks), default=0)
        return SUMMARIES[order[worst]]

    def lines(self) -> list[str]:
        """Return the verdict in words: the summary, then one line for each remark."""
        if not self.remarks:
            return ["Verdict: good."]
        return [f"Verdict: {self.summary}.", *(f"  - {remark.message}" for remark in self.remarks)]


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as JSON; `times` are given only where a remark has some."""
    return {
        "summary": verdict.summary,
        "remarks": [
            {"kind": remark.kind, "message": remark.message, "effect": remark.effect}
            | ({"times": [list(time) for time in remark.times_s]} if remark.times_s else {})
            for remark in verdict.remarks
        ],
    }


def verdict_of(manifest: Mapping[str, Any]) -> Verdict | None:
    """Return the verdict in a manifest; None if an older version of the program wrote it."""
    stored = manifest.get("verdict")
    if stored is None:
        return None
    return Verdict(tuple(remark_of(remark) for remark in stored["remarks"]))


def remark_of(stored: Mapping[str, Any]) -> Remark:
    """Return a remark of a stored verdict."""
    times: Sequence[Sequence[float]] = stored.get("times", ())
    pairs = tuple((first, end) for first, end in times)
    return Remark(stored["kind"], stored["message"], stored["effect"], pairs)


def time_ranges(times_s: Sequence[tuple[float, float]]) -> str:
    """Return time ranges in words, for example "1.00-2.00 s, 4.50-5.00 s"."""
    return ", ".join(f"{first:.2f}-{end:.2f} s" for first, end in times_s)
