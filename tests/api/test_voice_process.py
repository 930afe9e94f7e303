"""A text or a signal that ends a speech worker of a real server: only one request fails."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import app
from api.problem import problem_of
from session.fragmented.check import check_film
from tests.api.server_process import Server, launched, serving, wait_until_ready
from tests.polling import wait_until
from tts.espeak.isolated import PROCESSES
from tts.registry import VoiceRegistry
from tts.voice import VoiceUnavailable
from warm.settings import Settings

pytestmark = pytest.mark.slow

OVERFLOW = "s'" * 70
SENTENCES = 15
LONG = " ".join(["Here is one more sentence, and it goes on for a while."] * SENTENCES)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "results") as server:
        yield server


def speech_workers(server: Server) -> list[int]:
    (worker,) = server.workers()
    listed = Path(f"/proc/{worker}/task").glob("*/children")
    children = [int(pid) for each in listed for pid in each.read_text(encoding="ascii").split()]
    return [pid for pid in children if is_speech_worker(pid)]


def is_speech_worker(pid: int) -> bool:
    """True for a process of a voice; others read recordings and uploads."""
    try:
        return b"tts." in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids: list[int]) -> None:
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), f"the end of {pids}")


def all_workers(server: Server) -> list[int]:
    """The speech workers, once the replacements of those that ended have started."""
    wait_until(lambda: len(speech_workers(server)) == PROCESSES, "a full set of speech workers")
    return speech_workers(server)


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")


def test_a_text_that_crashes_espeak_fails_its_request_and_no_other(server: Server) -> None:
    (worker,) = server.workers()
    before = speech_workers(server)
    accept = {"Accept": "text/event-stream"}
    killers = [{"text": OVERFLOW}, {"text": OVERFLOW, "language": "en-GB"}, {"text": OVERFLOW}]
    with server.ask("POST", "/speak", {"text": LONG, "session_id": "other"}, **accept) as other:
        assert other.readline() == b"event: speech\n"
        with ThreadPoolExecutor(len(killers)) as pool:
            answers = list(pool.map(lambda body: server.call("POST", "/speak", body), killers))
        rest = other.read().decode()
    assert "event: error" not in rest
    done = json.loads(rest.rpartition("event: done\ndata: ")[2])
    assert not done["interrupted"]
    assert rest.count("event: speech") == SENTENCES - 1
    for status, reply in answers:
        assert (status, reply["kind"]) == (422, "ValidationError")
        assert list(reply["details"]) == ["body.text"]
        assert "sentence 1 of the text, which begins at character 1" in reply["detail"]
        assert "ended the speech worker 2 times" in reply["detail"]
    assert server.workers() == [worker]
    assert set(before) - set(speech_workers(server))
    tried = all_workers(server)
    assert server.call("POST", "/speak", {"text": OVERFLOW, "session_id": "third"})[0] == 422
    assert speech_workers(server) == tried  # refused without being tried
    status, spoken = server.call("POST", "/speak", {"text": "And on we go."})
    assert (status, spoken["clip"]["index"]) == (200, 0)
    for film in server.results.rglob("full_session.mp4"):
        assert check_film(film).faults == []


def test_sentences_before_the_one_that_crashes_are_kept(server: Server) -> None:
    accept = {"Accept": "text/event-stream"}
    text = f"{LONG} {OVERFLOW}"
    with server.ask("POST", "/speak", {"text": text}, **accept) as speaking:
        reply = speaking.read().decode()
    problem = json.loads(reply.rpartition("event: error\ndata: ")[2])
    assert problem["status"] == 422
    place = f"sentence {SENTENCES + 1} of the text, which begins at character {len(LONG) + 2}"
    assert place in problem["detail"]
    assert reply.count("event: fragment") > 10
    assert check_film(server.results / "full_session.mp4").faults == []


def test_a_killed_speech_worker_costs_no_request(server: Server) -> None:
    for number in range(3):
        for pid in all_workers(server):
            os.kill(pid, signal.SIGKILL)
        status, spoken = server.call("POST", "/speak", {"text": "Still here."})
        assert (status, spoken["clip"]["index"]) == (200, number)
    assert all_workers(server)


def test_espeak_is_loaded_only_in_the_speech_workers(server: Server) -> None:
    (worker,) = server.workers()
    speaking = all_workers(server)
    wait_until(lambda: all("libespeak" in maps(pid) for pid in speaking), "espeak in every worker")
    assert "libespeak" not in maps(worker)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_speech_worker_outlives_the_server(server: Server, number: signal.Signals) -> None:
    (worker,) = server.workers()
    workers = speech_workers(server)
    server.process.send_signal(number)
    if number == signal.SIGKILL:
        os.kill(worker, number)
    status, log = server.wait_for_exit()
    assert status == (-number if number == signal.SIGKILL else 0)
    assert "Traceback" not in log
    wait_until_gone(workers)


def test_speech_workers_are_not_in_the_process_group_of_the_terminal(tmp_path: Path) -> None:
    """Catches a Ctrl-C that ends the voices before the current fragment is finished."""
    with launched(tmp_path / "results") as server:
        wait_until_ready(server)
        group = os.getpgid(server.process.pid)
        assert all(os.getpgid(pid) != group for pid in speech_workers(server))


def test_a_replaced_worker_has_its_own_speech_workers(tmp_path: Path) -> None:
    with serving(tmp_path / "results", "mortal") as server:
        (worker,) = server.workers()
        before = speech_workers(server)
        (server.results / "die").touch()
        server.call("POST", "/speak", {"text": "One."})
        wait_until(lambda: server.workers() not in ([], [worker]), "a new server process")
        server.wait_for("ok")
        wait_until_gone(before)
        assert server.call("POST", "/speak", {"text": "Two."})[0] == 200
        assert all_workers(server)


def test_a_killed_process_of_heart_costs_no_request_and_none_outlives_the_server(
    tmp_path: Path,
) -> None:
    with serving(tmp_path / "results", "heart") as server:
        (worker,) = server.workers()
        accept = {"Accept": "text/event-stream"}
        with server.ask("POST", "/speak", {"text": LONG}, **accept) as speaking:
            assert speaking.readline() == b"event: speech\n"
            (voice,) = speech_workers(server)
            os.kill(voice, signal.SIGKILL)
            reply = speaking.read().decode()
        assert "event: error" not in reply
        assert reply.count("event: speech") == SENTENCES - 1
        (again,) = speech_workers(server)
        assert again != voice
        assert check_film(server.results / "full_session.mp4").faults == []
        for pid in (server.process.pid, worker):
            os.kill(pid, signal.SIGKILL)
        server.wait_for_exit()
        wait_until_gone([again])


def test_a_request_may_be_retried_if_the_voices_cannot_restart() -> None:
    problem = problem_of(VoiceUnavailable("no speech worker can be started"))
    assert (problem.status, problem.headers) == (503, {"Retry-After": "1"})


def test_voices_that_cannot_start_end_the_server_with_the_reason() -> None:
    def fail() -> VoiceRegistry:
        raise VoiceUnavailable("no speech worker can be started")

    reported: list[Exception] = []
    with pytest.raises(VoiceUnavailable):
        app.open_voices(Settings(), fail, reported.append)
    assert [str(error) for error in reported] == ["no speech worker can be started"]
    assert VoiceUnavailable in app.START_ERRORS
