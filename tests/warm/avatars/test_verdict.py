"""Verdicts: summary, words, JSON."""

import json

import pytest

from warm.avatars.verdict import Remark, Verdict, time_ranges, verdict_json, verdict_of

TURNED = Remark("turned", "The photo was turned.", "none")
OPEN = Remark("mouth_open", "The mouth is open.")
COVERED = Remark("mouth_covered", "The mouth is covered.", "severe", ((1.0, 2.0), (3.5, 4.0)))


@pytest.mark.parametrize(
    ("remarks", "summary"),
    [((), "good"), ((TURNED,), "good"), ((OPEN, TURNED), "usable"), ((OPEN, COVERED), "poor")],
)
def test_the_worst_remark_decides_the_summary(remarks: tuple[Remark, ...], summary: str) -> None:
    assert Verdict(remarks).summary == summary


def test_a_verdict_survives_its_manifest() -> None:
    verdict = Verdict((TURNED, COVERED))
    stored = json.loads(json.dumps({"verdict": verdict_json(verdict)}))
    assert verdict_of(stored) == verdict
    assert stored["verdict"]["remarks"][1]["times"] == [[1.0, 2.0], [3.5, 4.0]]
    assert "times" not in stored["verdict"]["remarks"][0]


def test_a_manifest_of_an_older_version_has_no_verdict() -> None:
    assert verdict_of({"notes": []}) is None


def test_the_words_name_the_summary_first_and_then_every_remark() -> None:
    assert Verdict().lines() == ["Verdict: good."]
    assert Verdict((OPEN, TURNED)).lines() == [
        "Verdict: usable.",
        "  - The mouth is open.",
        "  - The photo was turned.",
    ]
    assert time_ranges(COVERED.times_s) == "1.00-2.00 s, 3.50-4.00 s"
