"""Texts that end processes are refused; deaths from outside do not count."""

import pytest

import tts.workers.failures
from isolation.process import WorkerDied, WorkerKilled, WorkerTimeout
from tts.voice import SentenceFailed, VoiceUnavailable
from tts.workers.failures import Failures, digest_of

TEXT, OTHER = digest_of({"text": "one"}), digest_of({"text": "two"})


def test_a_text_may_end_one_process_and_not_two() -> None:
    failures = Failures("voice process")
    failures.handle(WorkerDied("died of SIGSEGV"), TEXT, 0)
    failures.check(TEXT)
    with pytest.raises(SentenceFailed, match=r"^ended the voice process 2 times$"):
        failures.handle(WorkerDied("died of SIGSEGV"), TEXT, 0)
    with pytest.raises(SentenceFailed, match=r"^ended the voice process 2 times$"):
        failures.check(TEXT)
    failures.check(OTHER)


def test_a_text_that_was_spoken_starts_afresh() -> None:
    failures = Failures("voice process")
    for _ in range(3):
        failures.handle(WorkerDied("died of SIGSEGV"), TEXT, 0)
        failures.forget(TEXT)
    failures.check(TEXT)


def test_a_text_that_takes_too_long_is_not_tried_again() -> None:
    failures = Failures("voice process")
    with pytest.raises(SentenceFailed, match="takes too long: the voice process took too much"):
        failures.handle(WorkerTimeout("took too much CPU time"), TEXT, 0)


def test_deaths_from_outside_are_errors_of_the_voice_in_the_end() -> None:
    failures = Failures("voice process")
    for killed in range(1, tts.workers.failures.MAX_KILLED):
        failures.handle(WorkerKilled("was killed by SIGKILL"), TEXT, killed)
    with pytest.raises(VoiceUnavailable, match="the voice process was killed 5 times"):
        failures.handle(WorkerKilled("was killed by SIGKILL"), TEXT, 5)
    failures.check(TEXT)
    assert not len(failures)


def test_the_number_of_remembered_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest ones are remembered."""
    monkeypatch.setattr(tts.workers.failures, "MAX_REMEMBERED", 3)
    failures = Failures("voice process")
    digests = [digest_of({"text": str(number)}) for number in range(5)]
    for digest in digests:
        failures.handle(WorkerDied("died of SIGSEGV"), digest, 0)
    assert len(failures) == 3
    assert list(failures._counts) == digests[2:]


def test_the_digest_depends_on_all_of_the_request_and_not_on_its_order() -> None:
    one = digest_of({"text": "a", "speed": 1.0})
    assert one == digest_of({"speed": 1.0, "text": "a"})
    assert len({one, digest_of({"text": "a", "speed": 1.5}), digest_of({"text": "\ud800"})}) == 3
