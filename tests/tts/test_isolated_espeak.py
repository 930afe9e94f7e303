"""Pool of speech workers: texts and signals that end a worker affect no other sentence."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tts.espeak.isolated
from isolation.process import ROOT, WorkerProcess, WorkerTimeout
from tests.polling import wait_until
from tts.espeak.isolated import COMMAND, PROCESSES, IsolatedEspeak
from tts.espeak.results import EspeakError
from tts.espeak.voices import EspeakVoices
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest, SentenceFailed, VoiceChoice, VoiceUnavailable

OVERFLOW = "s'" * 70
"""Overflows a buffer of espeak with every English voice: SIGABRT."""
DASHES = "---hello"
"""Reads a null pointer in espeak with the Danish voices: SIGSEGV."""
KILLERS = [("en-US", OVERFLOW), ("en-GB", OVERFLOW)]
TIMEOUT_S = 60

MISBEHAVING = """
import os, sys, time
from tts.espeak import worker as speech_worker
from tts.espeak.library import EspeakLibrary

class MisbehavingLibrary(EspeakLibrary):
    def synthesize(self, text, *, voice, rate_wpm):
        if text == "spin":
            while True:
                pass
        if text == "sleep":
            time.sleep(3600)
        if text == "once" and not os.path.exists(sys.argv[1]):
            open(sys.argv[1], "w").close()
            os._exit(9)
        if text == "chatter":
            os.write(answers.fileno(), bytes(99))
        return super().synthesize(text, voice=voice, rate_wpm=rate_wpm)

answers = speech_worker.reserve_stdout()
speech_worker.SENTENCE_CPU_S = 0.2
speech_worker.serve(MisbehavingLibrary(), open(0, "rb"), answers)
"""
"""A worker that misbehaves on request, as a bug in espeak might."""


@pytest.fixture
def own() -> Iterator[EspeakVoices]:
    """Voices whose processes the test may kill."""
    with closing(EspeakVoices()) as voices:
        wait_for_full_set(voices)
        yield voices


@pytest.fixture
def misbehaving(tmp_path: Path) -> Iterator[IsolatedEspeak]:
    command = (sys.executable, "-c", MISBEHAVING, str(tmp_path / "died"))
    with closing(IsolatedEspeak(command)) as espeak:
        yield espeak


def speak(voices: EspeakVoices, text: str, **choice: object) -> list[Speech]:
    registry = VoiceRegistry([voices])
    return list(registry.speak(text, registry.choose(**choice)))  # type: ignore[arg-type]


def say_unread(voices: EspeakVoices, text: str, language: str) -> Speech | None:
    """Have espeak say a text as it is written."""
    info = voices.best_for(language)
    assert info is not None
    choice = VoiceChoice(voice=info.id, language=language, speed=1.0)
    return voices.synthesize(Sentence(text, is_end=True, start=0), choice, lambda: False)


def descriptors(pid: int) -> set[str]:
    """Return the targets of a process's open descriptors; it may close one at any time."""
    names = set[str]()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            names.add(os.readlink(link))  # noqa: PTH115
    return names


def wait_for_full_set(voices: EspeakVoices) -> None:
    """Wait until all replacements of ended workers are ready."""
    pool = voices._espeak._pool
    wait_until(lambda: len(pool.idle_pids()) >= PROCESSES, "a full set of idle workers")


def pids(voices: EspeakVoices) -> list[int]:
    return voices._espeak.pids()


def synthesize(espeak: IsolatedEspeak, text: str) -> bytes:
    return espeak.synthesize(text, voice="gmw/en-US", rate_wpm=170).pcm


def is_same(one: Speech, other: Speech) -> bool:
    """Compare phonemes and duration; espeak's pitch and durations vary slightly."""
    assert one.phonemes is not None and other.phonemes is not None
    sounds = [[phoneme.symbol for phoneme in each.phonemes or ()] for each in (one, other)]
    return sounds[0] == sounds[1] and abs(one.duration_s - other.duration_s) < 0.01


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize(("language", "killer"), KILLERS)
def test_a_text_that_crashes_espeak_affects_no_other_text(
    own: EspeakVoices, language: str, killer: str
) -> None:
    (before,) = speak(own, "All is well.")
    with pytest.raises(BadSpeechRequest, match="ended the speech worker 2 times") as caught:
        speak(own, killer, language=language)
    assert caught.value.field == "text"
    (after,) = speak(own, "All is well.")
    assert is_same(before, after)


def test_dashes_before_a_word_are_not_sent_to_espeak_which_crashes_on_them(
    own: EspeakVoices,
) -> None:
    with pytest.raises(SentenceFailed, match="ended the speech worker 2 times"):
        say_unread(own, DASHES, "da")
    for text in (DASHES, f"ja {DASHES}", f"({DASHES})"):
        assert speak(own, text, language="da")


def test_the_message_names_the_sentence_its_position_and_the_next_step(own: EspeakVoices) -> None:
    text = f"One is  fine.\n\n  Two, too. {OVERFLOW} Three."
    registry = VoiceRegistry([own])
    speeches = registry.speak(text, registry.choose())
    assert [next(speeches).text for _ in range(2)] == ["One is fine.", "Two, too."]
    with pytest.raises(BadSpeechRequest) as caught:
        next(speeches)
    message = str(caught.value)
    position = text.index("s's'") + 1
    assert f"sentence 3 of the text, which begins at character {position}, \"s's's'" in message
    assert "espeak:en-us" in message
    assert "Rephrase that sentence, leave it out, or choose another voice." in message


@pytest.mark.parametrize("killer", [OVERFLOW, f"{OVERFLOW} and more"])
def test_a_text_that_ended_two_workers_is_refused_without_another_try(
    own: EspeakVoices, killer: str
) -> None:
    with pytest.raises(BadSpeechRequest, match="ended the speech worker 2 times"):
        speak(own, killer)
    wait_for_full_set(own)
    workers = set(pids(own))
    for _ in range(2):
        with pytest.raises(BadSpeechRequest, match="ended the speech worker 2 times"):
            speak(own, killer)
    assert workers <= set(pids(own))
    assert all(map(is_running, workers))


def test_a_text_that_fails_with_one_voice_is_tried_with_another(own: EspeakVoices) -> None:
    with pytest.raises(SentenceFailed):
        say_unread(own, DASHES, "da")
    assert say_unread(own, DASHES, "de")


def test_a_sentence_is_repeated_when_its_worker_is_killed(own: EspeakVoices) -> None:
    (whole,) = speak(own, "A sentence to be killed in.")
    speaking = pids(own)[0]
    os.kill(speaking, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(speak, own, "A sentence to be killed in.")
        wait_until(lambda: own._espeak._pool._busy, "the sentence to start")
        os.kill(speaking, signal.SIGKILL)
        (again,) = pending.result(TIMEOUT_S)
    assert is_same(again, whole)
    assert speaking not in pids(own)
    assert not len(own._espeak._failures)


def test_a_text_is_not_refused_for_one_failure(misbehaving: IsolatedEspeak) -> None:
    assert synthesize(misbehaving, "once")
    assert not len(misbehaving._failures)


def test_spare_workers_that_are_killed_are_replaced(own: EspeakVoices) -> None:
    for _ in range(3):
        killed = pids(own)
        assert len(killed) >= PROCESSES
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        for pid in killed:
            wait_until(lambda: not is_running(pid), f"the end of {pid}")  # noqa: B023
        assert speak(own, "Here again.")
        wait_for_full_set(own)


def test_a_sentence_that_never_stops_computing_fails(misbehaving: IsolatedEspeak) -> None:
    began_s = time.monotonic()
    with pytest.raises(SentenceFailed, match=r"takes too long: .*CPU time"):
        synthesize(misbehaving, "spin")
    assert time.monotonic() - began_s < TIMEOUT_S
    assert synthesize(misbehaving, "hello")


def test_a_sentence_that_hangs_fails(
    misbehaving: IsolatedEspeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tts.espeak.isolated, "SENTENCE_TIMEOUT_S", 0.2)
    hanging = misbehaving.pids()[0]
    with pytest.raises(SentenceFailed, match=re.escape("gave no answer within 0.2 s")):
        synthesize(misbehaving, "sleep")
    assert not is_running(hanging)
    monkeypatch.undo()
    assert synthesize(misbehaving, "hello")


def test_a_worker_that_writes_invalid_messages_is_killed(misbehaving: IsolatedEspeak) -> None:
    """Fails if the parent trusts lengths: a process with corrupted memory may write anything."""
    with pytest.raises(SentenceFailed):
        synthesize(misbehaving, "chatter")
    assert synthesize(misbehaving, "hello")


def test_a_text_with_too_much_audio_is_refused() -> None:
    code = (
        "from tts.espeak import library as espeak_library, worker as speech_worker\n"
        "espeak_library.MAX_AUDIO_S = 1\n"
        "speech_worker.main()"
    )
    with closing(IsolatedEspeak((sys.executable, "-c", code))) as espeak:
        with pytest.raises(SentenceFailed, match="takes more than 1 s to say"):
            synthesize(espeak, "one two three four five six seven eight nine ten")
        assert synthesize(espeak, "one")
        assert not len(espeak._failures)


def test_an_unknown_voice_is_not_a_failure_of_the_text(own: EspeakVoices) -> None:
    before = pids(own)
    with pytest.raises(EspeakError, match="no voice 'unknown'"):
        own._espeak.synthesize("hello", voice="unknown", rate_wpm=170)
    assert pids(own) == before


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(7)", "ended with status 7"),
        ("import os; os.abort()", "died of SIGABRT"),
        (
            "from tts.espeak import library as espeak_library, worker as speech_worker\n"
            "espeak_library.espeakng_loader.get_library_path = lambda: '/nowhere.so'\n"
            "speech_worker.main()",
            "espeak-ng cannot be loaded from /nowhere.so",
        ),
    ],
)
def test_a_worker_that_cannot_start_is_reported_with_the_reason(code: str, reason: str) -> None:
    with pytest.raises(VoiceUnavailable, match=reason):
        IsolatedEspeak((sys.executable, "-c", code))


def test_a_missing_command_is_reported() -> None:
    with pytest.raises(VoiceUnavailable, match="No such file"):
        IsolatedEspeak(("/nowhere/python",))


def test_closed_voices_leave_no_process_and_refuse_to_speak() -> None:
    voices = EspeakVoices()
    running = pids(voices)
    voices.close()
    voices.close()
    assert not any(map(is_running, running))
    assert not any(Path(f"/proc/{pid}").exists() for pid in running)
    with pytest.raises(VoiceUnavailable, match="closed"):
        speak(voices, "hello")


def test_garbage_collected_voices_leave_no_process() -> None:
    """Fails on a warning about a running process, too."""
    running = pids(EspeakVoices())
    wait_until(lambda: not any(map(is_running, running)), "the workers to end")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent_process(number: signal.Signals) -> None:
    code = (
        "import time\nfrom tts.espeak.isolated import IsolatedEspeak\n"
        "print(*IsolatedEspeak().pids(), flush=True)\ntime.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        running = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(running) == PROCESSES
        parent.send_signal(number)
        parent.wait(TIMEOUT_S)
    wait_until(lambda: not any(map(is_running, running)), "the workers to end")


def test_a_worker_inherits_no_descriptor_or_session(own: EspeakVoices) -> None:
    """It has no socket or file of the server, and Ctrl-C in a terminal does not reach it."""
    with (ROOT / "pyproject.toml").open("rb"):
        for pid in pids(own):
            wait_until(lambda: os.getsid(pid) == pid, "a session of the worker of its own")  # noqa: B023
            names = descriptors(pid)
            assert not any("pyproject" in name or "socket" in name for name in names)


def test_a_worker_starts_quickly() -> None:
    """It takes about 50 ms; importing NumPy would make it 200."""
    took_s = []
    for _ in range(5):
        began_s = time.monotonic()
        worker = WorkerProcess(COMMAND, folder=ROOT)
        worker.wait_until_ready(TIMEOUT_S)
        took_s.append(time.monotonic() - began_s)
        worker.stop()
    assert min(took_s) < 0.5


def test_a_worker_imports_little() -> None:
    code = (
        "import sys, tts.espeak.worker; print(sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "'espeakng_loader'" in done.stdout
    assert "'numpy'" not in done.stdout


def test_a_worker_that_does_not_answer_in_time_is_killed() -> None:
    worker = WorkerProcess(COMMAND, folder=ROOT)
    worker.wait_until_ready(TIMEOUT_S)
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(WorkerTimeout):
        worker.request({}, timeout_s=0.05)
    assert not worker.is_alive


def test_a_failure_is_logged_without_the_text(
    own: EspeakVoices, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(BadSpeechRequest):
        speak(own, OVERFLOW)
    assert [record.getMessage() for record in caplog.records] == [
        "a speech worker died of SIGABRT"
    ] * 2
    assert "s's'" not in caplog.text


def test_concurrent_sentences_are_complete_while_others_crash(own: EspeakVoices) -> None:
    (alone,) = speak(own, "We go on as if nothing had happened.")
    begin = threading.Barrier(5)

    def kill(number: int) -> str:
        begin.wait(TIMEOUT_S)
        with pytest.raises(BadSpeechRequest):
            speak(own, f"{OVERFLOW} {number}")
        return ""

    def speak_on(_: int) -> list[Speech]:
        begin.wait(TIMEOUT_S)
        return [speak(own, "We go on as if nothing had happened.")[0] for _ in range(5)]

    with ThreadPoolExecutor(5) as pool:
        killers = [pool.submit(kill, number) for number in range(2)]
        others = [pool.submit(speak_on, number) for number in range(3)]
        assert [each.result(TIMEOUT_S) for each in killers] == ["", ""]
        for other in others:
            assert all(is_same(alone, spoken) for spoken in other.result(TIMEOUT_S))


ODD_PIECES = [
    *(
        "s'",
        "---",
        "--",
        "'",
        "...",
        "hello",
        "[[",
        "]]",
        "_",
        "^",
        "<",
        "&amp;",
        "%",
        "-",
        ".",
        ",",
    ),
    *(";", " ", "\n", "\u0301", "\u200d", "\x00", "\x01", "1", "²", "٣", "A", "é", "字", "क", "ب"),
]
ODD_TEXTS = st.one_of(
    st.text(min_size=1, max_size=200),
    st.lists(
        st.sampled_from(ODD_PIECES),
        min_size=1,
        max_size=150,
    ).map("".join),
    st.tuples(st.text(min_size=1, max_size=4), st.integers(1, 120)).map(lambda t: t[0] * t[1]),
)


@pytest.mark.slow
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=ODD_TEXTS,
    language=st.sampled_from(["en-US", "en-GB", "da", "hi", "fa", "ru", "cmn", "de", "fr", "ko"]),
    speed=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_odd_texts_are_spoken_or_refused(
    voices: VoiceRegistry, text: str, language: str, speed: float
) -> None:
    """Every sentence is spoken, or refused with its field; afterwards the voices still work."""
    try:
        for speech in voices.speak(text, voices.choose(language=language, speed=speed)):
            assert np.isfinite(speech.samples).all()
    except BadSpeechRequest as refusal:
        assert refusal.field == "text"
        assert list(voices.speak("hello", voices.choose()))
