"""The benchmark of broken media files, on a sample: files are used or refused, never more."""

import random
from pathlib import Path

import pytest

from bench.broken_files import DAMAGES, broken
from bench.broken_media import read_all, read_one

pytestmark = pytest.mark.slow


def test_broken_files_are_used_or_refused_with_documented_errors() -> None:
    outcomes = read_all(100, seed=20)
    assert outcomes.faults == [] and outcomes.deaths == []
    assert outcomes.counts["used"] > 20 and outcomes.counts["refused"] > 20
    assert outcomes.counts.total() == 100


def test_the_damage_depends_on_the_seed_only() -> None:
    whole = [bytes(range(256)) * 40, bytes(3000)]
    for number in range(50):
        one, other = (broken(whole, random.Random(number)) for _ in range(2))
        assert one == other
    for damage in DAMAGES:  # of files of any length
        for size in (0, 1, 5, 9000):
            damage(bytearray(size), random.Random(size), whole)


def test_an_unforeseen_error_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path, **_options: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("bench.broken_media.read_photo", fail)
    assert read_one(tmp_path / "a", "p.png") == ("fault", "see_photo: KeyError: 'x'")
