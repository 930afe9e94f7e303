"""One process speaks for many clients at once; what ends it is noticed by none but the cause."""

import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

import tts.workers.failures
import tts.workers.stream_keeper
from isolation.process import ROOT, RequestCancelled
from tests.polling import wait_until
from tests.tts.workers.fake_voice import PIECE_BYTES, pieces
from tts.voice import SentenceFailed, VoiceUnavailable
from tts.workers.stream import StreamLimits
from tts.workers.stream_client import StreamClient, worker_command

pytestmark = pytest.mark.slow

TIMEOUT_S = 60
COMMAND = worker_command("tests.tts.workers.fake_voice")
LIMITS = StreamLimits(start_s=TIMEOUT_S, step_s=TIMEOUT_S, answer_s=TIMEOUT_S)


def client(
    limits: StreamLimits = LIMITS, *, slow_s: float | None = None, broken: Path | None = None
) -> StreamClient:
    arguments = ("" if slow_s is None else str(slow_s), "" if broken is None else str(broken))
    return StreamClient((*COMMAND, *arguments), limits)


@pytest.fixture(scope="module")
def shared() -> Iterator[StreamClient]:
    """A client for tests that leave its process as it is."""
    with closing(client()) as running:
        running.start()
        yield running


@pytest.fixture
def own() -> Iterator[StreamClient]:
    """A client whose process the test may end."""
    with closing(client()) as running:
        running.start()
        yield running


def say(voice: StreamClient, text: str, **request: Any) -> list[bytes]:
    return [bytes(payload) for _, payload in voice.stream({"text": text} | request)]


def wait_until_ready(voice: StreamClient) -> int:
    wait_until(lambda: voice.is_ready, "a loaded voice")
    assert voice.pid is not None
    return voice.pid


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_text_arrives_in_its_pieces(shared: StreamClient) -> None:
    messages = list(shared.stream({"text": "hello"}))
    assert [bytes(payload) for _, payload in messages] == pieces("hello")
    assert [header["number"] for header, _ in messages] == [0, 1, 2, 3]


def test_sixteen_texts_at_once_are_all_complete_and_from_one_process(shared: StreamClient) -> None:
    begin = Barrier(16)

    def speak(number: int) -> list[bytes]:
        begin.wait(TIMEOUT_S)
        return say(shared, f"text {number}", pieces=9)

    pid = wait_until_ready(shared)
    with ThreadPoolExecutor(16) as threads:
        for number, said in enumerate(threads.map(speak, range(16))):
            assert said == pieces(f"text {number}", 9)
    assert shared.pid == pid


def turns(voice: StreamClient, text: str, ahead_s: float = 0.0, **request: Any) -> list[int]:
    """Return the turns in which the process made the pieces of a text."""
    messages = voice.stream({"text": text, "turns": True} | request, ahead_s=ahead_s)
    return [header["turn"] for header, _ in messages]


def test_the_first_piece_of_a_text_goes_before_later_pieces_of_others(
    shared: StreamClient, tmp_path: Path
) -> None:
    """Fails if a text is finished before the next one begins."""
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(3) as threads:
        speaking = [
            threads.submit(turns, shared, name, until=str(gate), step_s=0.1) for name in "abc"
        ]
        wait_until(lambda: shared._keeper._table.is_working, "the first step")
        wait_until(lambda: len(shared._keeper._table) == 3, "three requests")
        gate.touch()
        found = [each.result(TIMEOUT_S) for each in speaking]
    every = sorted(turn for each in found for turn in each)
    assert sorted(each[0] for each in found) == every[:3]


def test_a_text_whose_listener_has_sound_left_waits_for_others(
    shared: StreamClient, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(3) as threads:
        threads.submit(say, shared, "gate", pieces=1, until=str(gate), step_s=0.3)
        wait_until(lambda: shared._keeper._table.is_working, "the first step")
        later = threads.submit(turns, shared, "later", 3600.0)
        wait_until(lambda: len(shared._keeper._table) == 2, "two requests")
        now = threads.submit(turns, shared, "now")
        wait_until(lambda: len(shared._keeper._table) == 3, "three requests")
        gate.touch()
        assert max(now.result(TIMEOUT_S)) < min(later.result(TIMEOUT_S))


def test_a_patient_text_waits_for_others_also_after_its_first_piece(
    shared: StreamClient, tmp_path: Path
) -> None:
    """The pieces of the other text are made faster than their listener hears them."""
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(1) as threads:
        request = {"text": "job", "turns": True, "pieces": 40, "step_s": 0.02}
        patient = shared.stream(request, patience_s=3600.0)
        first = next(patient)[0]["turn"]
        others = threads.submit(turns, shared, "live", pieces=9, until=str(gate))
        wait_until(lambda: len(shared._keeper._table) == 2, "two requests")
        gate.touch()
        made = [first, *(header["turn"] for header, _ in patient)]
        assert max(others.result(TIMEOUT_S)) - min(others.result(TIMEOUT_S)) == 8
    assert len(made) == 40
    assert max(others.result(TIMEOUT_S)) < made[-1]


def test_a_text_that_nobody_reads_does_not_fill_the_memory_and_delays_no_other() -> None:
    limits = StreamLimits(window_bytes=3 * PIECE_BYTES)
    with closing(client(limits)) as voice:
        unread = voice.stream({"text": "long", "pieces": 500})
        first = next(unread)
        (stream,) = voice._keeper._table._streams.values()
        wait_until(lambda: stream.unread_bytes == limits.window_bytes, "a full window")
        assert say(voice, "other", pieces=20) == pieces("other", 20)
        assert stream.unread_bytes == limits.window_bytes
        rest = [bytes(payload) for _, payload in unread]
    assert [bytes(first[1]), *rest] == pieces("long", 500)


def test_a_cancelled_text_stops_and_its_process_lives(shared: StreamClient, tmp_path: Path) -> None:
    pid = wait_until_ready(shared)
    cancelled = Event()
    speaking = shared.stream({"text": "long", "pieces": 10**6}, cancelled.is_set)
    next(speaking)
    cancelled.set()
    with pytest.raises(RequestCancelled):
        list(speaking)
    wait_until(lambda: not len(shared._keeper._table), "the end of the text")
    assert say(shared, "hello") == pieces("hello")
    assert shared.pid == pid


def test_a_cancelled_text_stops_even_if_its_client_asks_for_nothing(shared: StreamClient) -> None:
    pid = wait_until_ready(shared)
    cancelled = Event()
    speaking = shared.stream({"text": "long", "pieces": 10**6, "step_s": 0.01}, cancelled.is_set)
    next(speaking)
    cancelled.set()
    wait_until(lambda: not len(shared._keeper._table), "the end of the text")
    with pytest.raises(RequestCancelled):
        list(speaking)
    assert shared.pid == pid


def test_a_text_whose_client_leaves_is_cancelled(shared: StreamClient) -> None:
    pid = wait_until_ready(shared)
    speaking = shared.stream({"text": "long", "pieces": 10**6})
    next(speaking)
    speaking.close()
    wait_until(lambda: not len(shared._keeper._table), "the end of the text")
    assert shared.pid == pid


def test_a_storm_of_cancelled_texts_leaves_nothing_behind(shared: StreamClient) -> None:
    pid = wait_until_ready(shared)

    def begin_and_leave(number: int) -> None:
        speaking = shared.stream({"text": str(number), "pieces": 10**6}, lambda: number % 3 == 0)
        try:
            next(speaking)
        except RequestCancelled:
            assert number % 3 == 0
        speaking.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(begin_and_leave, range(200)))
    wait_until(lambda: not len(shared._keeper._table), "the end of all texts")
    assert say(shared, "hello") == pieces("hello")
    assert shared.pid == pid


def test_texts_go_on_seamlessly_when_the_process_is_killed(own: StreamClient) -> None:
    pid = wait_until_ready(own)
    texts = [own.stream({"text": str(number), "pieces": 6}) for number in range(4)]
    said = [[bytes(next(each)[1]), bytes(next(each)[1])] for each in texts[:3]] + [[]]
    os.kill(pid, signal.SIGKILL)
    for text, before in zip(texts, said, strict=True):
        before += [bytes(payload) for _, payload in text]
    assert said == [pieces(str(number), 6) for number in range(4)]
    assert own.pid != pid
    assert not len(own._keeper._table._failures)


@pytest.mark.parametrize("fault", ["crash", "exit", "garbage", "lie", "close"])
def test_a_text_that_ends_the_process_twice_is_refused_and_no_other_notices(
    own: StreamClient, fault: str
) -> None:
    innocent = own.stream({"text": "innocent", "pieces": 6})
    said = [bytes(next(innocent)[1])]
    with pytest.raises(SentenceFailed, match="ended the voice process 2 times"):
        say(own, "guilty", fault=fault)
    said += [bytes(payload) for _, payload in innocent]
    assert said == pieces("innocent", 6)
    pid = wait_until_ready(own)
    with pytest.raises(SentenceFailed, match="ended the voice process 2 times"):
        say(own, "guilty", fault=fault)
    assert own.pid == pid  # it was refused without being tried


def test_a_text_is_not_refused_for_one_death(own: StreamClient, tmp_path: Path) -> None:
    request = {"fault": "crash_once", "file": str(tmp_path / "died")}
    assert say(own, "hello", **request) == pieces("hello")
    assert not len(own._keeper._table._failures)


def test_deaths_from_outside_are_not_the_fault_of_a_text(
    own: StreamClient,
) -> None:
    speaking = own.stream({"text": "hello", "pieces": 10})
    said = [bytes(next(speaking)[1])]
    for _ in range(2):
        os.kill(wait_until_ready(own), signal.SIGTERM)
        said.append(bytes(next(speaking)[1]))
        wait_until_ready(own)
    said += [bytes(payload) for _, payload in speaking]
    assert said == pieces("hello", 10)
    assert not len(own._keeper._table._failures)


def test_a_process_that_is_killed_again_and_again_is_an_error_of_the_voice(
    own: StreamClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tts.workers.failures, "MAX_KILLED", 2)
    request = {"text": "hello", "until": str(tmp_path / "never")}
    with ThreadPoolExecutor(1) as threads:
        speaking = threads.submit(list, own.stream(request))
        for _ in range(2):
            pid = wait_until_ready(own)
            wait_until(lambda: own._keeper._table._at_work, "the first step")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: own.pid != pid, "its end")  # noqa: B023
        with pytest.raises(VoiceUnavailable, match="was killed 2 times"):
            speaking.result(TIMEOUT_S)


def test_a_text_that_never_stops_computing_is_refused(own: StreamClient) -> None:
    with pytest.raises(SentenceFailed, match=r"takes too long: .* too much CPU time"):
        say(own, "hello", fault="spin")
    assert say(own, "hello") == pieces("hello")


@pytest.mark.parametrize("fault", ["sleep", "half"])
def test_a_text_that_hangs_is_refused(fault: str) -> None:
    with closing(client(StreamLimits(step_s=1.0))) as voice:
        wait_until_ready_after_start(voice)
        innocent = voice.stream({"text": "innocent", "pieces": 6})
        said = [bytes(next(innocent)[1])]
        with pytest.raises(SentenceFailed, match=re.escape("gave no answer within 1 s")):
            say(voice, "hello", fault=fault)
        said += [bytes(payload) for _, payload in innocent]
    assert said == pieces("innocent", 6)


def wait_until_ready_after_start(voice: StreamClient) -> int:
    voice.start()
    return wait_until_ready(voice)


def test_a_process_that_is_stopped_is_replaced_and_no_text_is_blamed(own: StreamClient) -> None:
    """It is replaced long before the limit of a step."""
    pid = wait_until_ready(own)
    speaking = own.stream({"text": "hello", "pieces": 400})
    said = [bytes(next(speaking)[1])]
    os.kill(pid, signal.SIGSTOP)
    said += [bytes(payload) for _, payload in speaking]
    assert said == pieces("hello", 400)
    assert own.pid != pid
    assert not is_running(pid)
    assert not len(own._keeper._table._failures)


def test_an_idle_process_that_is_stopped_is_replaced_by_the_next_text(own: StreamClient) -> None:
    pid = wait_until_ready(own)
    os.kill(pid, signal.SIGSTOP)
    assert say(own, "hello") == pieces("hello")
    assert own.pid != pid


def test_a_process_that_is_stopped_and_continued_goes_on(own: StreamClient) -> None:
    pid = wait_until_ready(own)
    speaking = own.stream({"text": "hello", "pieces": 400})
    said = [bytes(next(speaking)[1])]
    for _ in range(20):
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)
        said.append(bytes(next(speaking)[1]))
    said += [bytes(payload) for _, payload in speaking]
    assert said == pieces("hello", 400)
    assert own.pid == pid


def test_an_idle_process_that_ends_is_replaced_without_a_request(own: StreamClient) -> None:
    pid = wait_until_ready(own)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: own.is_ready and own.pid != pid, "another process")


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        ("refuse", SentenceFailed, "^is too odd$"),
        ("raise", SentenceFailed, "makes the voice process fail .IndexError: no such number"),
        ("unavailable", VoiceUnavailable, "the file of the voice is gone"),
        ("fill", SentenceFailed, "needs too much memory"),
    ],
)
def test_an_error_of_the_voice_ends_one_text_and_not_the_process(
    shared: StreamClient, fault: str, error: type[Exception], reason: str
) -> None:
    pid = wait_until_ready(shared)
    with pytest.raises(error, match=reason):
        say(shared, "hello", fault=fault)
    assert say(shared, "hello") == pieces("hello")
    assert shared.pid == pid


def test_a_voice_that_says_something_else_after_a_restart_is_not_joined(own: StreamClient) -> None:
    pid = wait_until_ready(own)
    speaking = own.stream({"text": "hello", "pieces": 400, "is_random": True})
    next(speaking)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(VoiceUnavailable, match="different sound"):
        list(speaking)


def test_a_text_waits_while_the_voice_loads() -> None:
    with closing(client(slow_s=1.0)) as voice:
        voice.start()
        assert not voice.is_ready
        assert say(voice, "hello") == pieces("hello")


def test_a_text_waits_for_a_limited_time_while_the_voice_loads() -> None:
    with (
        closing(client(StreamLimits(answer_s=0.2), slow_s=3600.0)) as voice,
        pytest.raises(VoiceUnavailable, match="the voice process is still loading"),
    ):
        say(voice, "hello")


def test_a_text_can_be_cancelled_while_the_voice_loads() -> None:
    with closing(client(slow_s=3600.0)) as voice, pytest.raises(RequestCancelled):
        list(voice.stream({"text": "hello"}, lambda: True))


def test_a_text_that_waits_for_others_too_long_is_an_error_of_the_voice(tmp_path: Path) -> None:
    with closing(client(StreamLimits(answer_s=1.0, step_s=TIMEOUT_S))) as voice:
        wait_until_ready_after_start(voice)
        with pytest.raises(VoiceUnavailable, match="is busy with other texts"):
            say(voice, "hello", until=str(tmp_path / "never"))


def test_a_process_that_does_not_finish_loading_is_stopped() -> None:
    limit = "(gave no answer within|got too little processor time in) 0.6 s"
    with closing(client(StreamLimits(start_s=0.6), slow_s=3600.0)) as voice:
        with pytest.raises(VoiceUnavailable, match=f"cannot start: {limit}"):
            say(voice, "hello")
        assert re.fullmatch(limit, voice.problem or "")


def test_a_voice_that_cannot_load_is_reported_and_tried_again(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("error", encoding="ascii")
    with closing(client(broken=broken)) as voice:
        with pytest.raises(VoiceUnavailable, match=r"cannot start: the file heart.onnx is damaged"):
            say(voice, "hello")
        assert voice.problem == "the file heart.onnx is damaged"
        broken.unlink()
        assert say(voice, "hello") == pieces("hello")
        assert voice.problem is None


def test_a_process_that_ends_at_each_start_fails_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tts.workers.stream_keeper, "RETRY_S", 0.05)
    broken = tmp_path / "broken"
    broken.write_text("exit", encoding="ascii")
    with (
        closing(client(broken=broken)) as voice,
        pytest.raises(VoiceUnavailable, match="cannot start: ended with status 7"),
    ):
        say(voice, "hello")


def test_a_missing_command_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tts.workers.stream_keeper, "RETRY_S", 0.05)
    with (
        closing(StreamClient(("/nowhere/python",), LIMITS)) as voice,
        pytest.raises(VoiceUnavailable, match="No such file"),
    ):
        say(voice, "hello")


def test_more_texts_than_the_limit_are_refused() -> None:
    with closing(client(StreamLimits(max_streams=2))) as voice:
        open_ones = [voice.stream({"text": "long", "pieces": 10**6}) for _ in range(2)]
        for each in open_ones:
            next(each)
        with pytest.raises(VoiceUnavailable, match="has 2 texts to speak"):
            say(voice, "hello")
        for each in open_ones:
            each.close()


def test_a_closed_client_leaves_no_process_and_ends_its_texts() -> None:
    voice = client()
    speaking = voice.stream({"text": "long", "pieces": 10**6})
    next(speaking)
    pid = voice.pid
    assert pid is not None
    voice.close()
    voice.close()
    assert not is_running(pid)
    with pytest.raises(VoiceUnavailable, match="closed"):
        list(speaking)
    with pytest.raises(VoiceUnavailable, match="closed"):
        say(voice, "hello")


def test_a_client_that_was_never_used_has_no_thread_and_no_process() -> None:
    voice = client()
    assert voice.pid is None
    voice.close()
    with pytest.raises(VoiceUnavailable, match="closed"):
        say(voice, "hello")


def test_a_garbage_collected_client_leaves_no_process() -> None:
    pid = wait_until_ready_after_start(voice := client())
    del voice
    wait_until(lambda: not is_running(pid), "the end of the process")


PARENT = """
import sys, time
from tests.tts.workers.test_stream_client import client, wait_until_ready_after_start
voice = client()
print(wait_until_ready_after_start(voice), flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("is_stopped", [False, True])
def test_the_process_ends_with_the_server_even_if_it_is_stopped(*, is_stopped: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if is_stopped:
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
    wait_until(lambda: not is_running(pid), "the end of the process")


def test_the_process_inherits_no_descriptor_or_session(shared: StreamClient) -> None:
    pid = wait_until_ready(shared)
    with (ROOT / "pyproject.toml").open("rb"):
        assert os.getsid(pid) == pid
        names = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}  # noqa: PTH115
    assert not any("pyproject" in name or "socket" in name for name in names)


def test_a_failure_is_logged_without_the_text(
    own: StreamClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(SentenceFailed):
        say(own, "a secret", fault="crash")
    assert [record.getMessage() for record in caplog.records] == [
        "the voice process died of SIGSEGV"
    ] * 2
    assert "secret" not in caplog.text
