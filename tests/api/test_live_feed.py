"""The live feed of a real application: speech, interruptions, resets, viewers who join late."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import av
import numpy as np
import pytest
from flask.testing import FlaskClient

from app import assemble
from tests.polling import wait_until
from tests.tiny_face import MOUTH, running_runtime
from tts.catalogue import espeak_voices
from warm.avatars.store import AvatarStore
from warm.live.hub import LiveHub
from warm.runtime import Runtime
from warm.settings import Settings

pytestmark = pytest.mark.slow

SENTENCE = "The quick brown fox jumps over the lazy dog."
WANTS = {"packets": False, "pictures": True, "pcm": True}


class Live:
    """An application, and what its feeds deliver."""

    def __init__(self, client: FlaskClient, runtime: Runtime, hub: LiveHub) -> None:
        self.client, self.runtime, self.hub = client, runtime, hub
        self.pictures: list[tuple[dict[str, Any], Any]] = []
        self.sounds: list[tuple[dict[str, Any], Any]] = []
        self.events: list[dict[str, Any]] = []
        hub.on_event("probe.picture", lambda data, payload: self.pictures.append((data, payload)))
        hub.on_event("probe.sound", lambda data, payload: self.sounds.append((data, payload)))
        hub.on_event("probe.event", lambda data, _: self.events.append(data))

    def watch(self, session_id: str) -> None:
        self.hub.call("probe.watch", {"session_id": session_id, "wants": WANTS})

    def speak(self, session_id: str, text: str, **more: Any) -> Thread:
        body = {"session_id": session_id, "text": text, **more}
        client = self.client.application.test_client()
        thread = Thread(target=client.post, args=("/speak",), kwargs={"json": body})
        thread.start()
        return thread

    def frames(self, session_id: str) -> list[int]:
        return [data["frame"] for data, _ in self.of(session_id) if data["frame"] is not None]

    def of(self, session_id: str) -> list[tuple[dict[str, Any], Any]]:
        return [each for each in self.pictures if each[0]["session_id"] == session_id]

    def kinds(self, session_id: str) -> list[str]:
        return [each["kind"] for each in self.events if each["session_id"] == session_id]

    def wait_for_end(self, session_id: str) -> None:
        """Wait until the speech has ended, and its last picture has arrived."""
        wait_until(lambda: "finished" in self.kinds(session_id), "the end of the speech")
        wait_until(lambda: self.of(session_id)[-1][0]["frame"] is None, "an idle picture")

    def check_whole(self, session_id: str, frames: list[int], expected: range) -> None:
        """Check that all frames came in order, except for those that were left out: a feed that
        gets no CPU time skips pictures, whose numbers are then missing."""
        assert frames == sorted(frames)
        ticks = [data["tick"] for data, _ in self.of(session_id)]
        left_out = ticks[-1] - ticks[0] + 1 - len(ticks)
        missing = sorted(set(expected) - set(frames))
        assert len(missing) <= left_out, missing
        assert set(frames) <= set(expected)

    def film(self, session_id: str) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
        path = self.runtime.sessions.registry.lookup(session_id).path
        with av.open(str(path)) as container:
            return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    results = tmp_path_factory.mktemp("live-app")
    settings = Settings(results_dir=results, chat_model="off")
    hub = LiveHub(settings, extensions=["tests.warm.live.probe"])
    try:
        with running_runtime(settings, espeak_voices(), results, live=hub) as runtime:
            app = assemble(settings, runtime, AvatarStore(results), live=hub)
            yield Live(app.test_client(), runtime, hub)
    finally:
        hub.close()


def mouth_of(payload: Any, shape: tuple[int, int, int] = (80, 96, 3)) -> int:
    picture = np.frombuffer(payload, np.uint8).reshape(shape)
    return int(picture[MOUTH[1] + 8, MOUTH[0] + 8, 0])


def test_a_viewer_sees_every_frame_of_the_film_once_and_then_the_idle_loop(live: Live) -> None:
    live.watch("all")
    live.speak("all", SENTENCE).join(60)
    live.wait_for_end("all")
    film = live.film("all")
    shown = {data["frame"]: payload for data, payload in live.of("all")}
    frames = list(dict.fromkeys(live.frames("all")))
    live.check_whole("all", frames, range(len(film)))
    settled = [number for number in frames if number > len(film) // 2]  # after the glide
    for number in settled:
        assert abs(mouth_of(shown[number]) - int(film[number][56, 44, 0])) < 12
    count = len(live.of("all"))
    wait_until(lambda: len(live.of("all")) > count + 3, "idle pictures")
    assert live.of("all")[-1][0]["frame"] is None
    kinds = [kind for kind in live.kinds("all") if kind != "skipped"]
    assert kinds == ["started", "caption", "finished"]


def test_an_interruption_ends_live_speech_at_once_and_reports_the_live_position(
    live: Live,
) -> None:
    live.watch("cut")
    speaking = live.speak("cut", SENTENCE * 5)
    wait_until(lambda: len(live.frames("cut")) > 20, "speech")
    seen = max(live.frames("cut"))
    answer = live.client.post("/interrupt", json={"session_id": "cut"}).get_json()
    assert answer["interrupted"]
    speaking.join(60)
    wait_until(lambda: "interrupted" in live.kinds("cut"), "the event")
    event = next(each for each in live.events if each["kind"] == "interrupted")
    wait_until(lambda: live.of("cut")[-1][0]["frame"] is None, "an idle picture")
    assert seen - 1 <= event["data"]["frame"]
    assert max(live.frames("cut")) <= event["data"]["frame"] + 3
    silent_from = event["time_s"] + 0.1
    wait_until(lambda: live.sounds[-1][0]["time_s"] > silent_from + 0.3, "sound after it")
    for data, payload in live.sounds:
        if data["session_id"] == "cut" and data["time_s"] > silent_from:
            assert not np.frombuffer(payload, np.float32).any()


def test_a_reset_while_somebody_watches_goes_on_with_idle_pictures_and_the_new_film(
    live: Live,
) -> None:
    live.watch("reset")
    speaking = live.speak("reset", SENTENCE * 5)
    wait_until(lambda: len(live.frames("reset")) > 10, "speech")
    assert live.client.post("/reset", json={"session_id": "reset"}).status_code == 200
    speaking.join(60)
    seen = len(live.of("reset"))
    live.speak("reset", "Hello.").join(60)
    wait_until(lambda: live.kinds("reset").count("started") == 2, "the new film")
    live.wait_for_end("reset")
    frames = [each["frame"] for each, _ in live.of("reset")[seen:] if each["frame"] is not None]
    live.check_whole("reset", list(dict.fromkeys(frames)), range(len(live.film("reset"))))


def test_a_deleted_session_stays_live_and_can_speak_again(live: Live) -> None:
    live.watch("gone")
    live.speak("gone", "Hello.").join(60)
    assert live.client.delete("/sessions/gone").status_code in (200, 204)
    count = len(live.of("gone"))
    wait_until(lambda: len(live.of("gone")) > count + 3, "idle pictures")
    live.speak("gone", "Hello again.").join(60)
    wait_until(lambda: live.kinds("gone").count("started") == 2, "the next speech")


def test_a_viewer_who_joins_while_a_clip_is_played_first_sees_its_part_from_the_film(
    live: Live,
) -> None:
    live.speak("late", SENTENCE * 2).join(60)  # rendered faster than it is played
    live.watch("late")
    wait_until(lambda: live.frames("late"), "speech")
    live.wait_for_end("late")
    frames = list(dict.fromkeys(live.frames("late")))
    film = live.film("late")
    live.check_whole("late", frames, range(frames[0], len(film)))
    stats = live.client.get("/stats").get_json()["live"]["feeds"]["late"]
    assert stats["frames_from_film"] >= len(frames)
    shown = {data["frame"]: payload for data, payload in live.of("late")}
    for number in frames[15::10]:
        assert abs(mouth_of(shown[number]) - int(film[number][56, 44, 0])) < 12


def test_numbers_of_the_feeds_are_in_stats_and_metrics(live: Live) -> None:
    live.watch("all")
    stats = live.client.get("/stats").get_json()["live"]
    assert stats["running"] and stats["starts"] == 1
    assert stats["feeds"]["all"]["subscribers"] >= 1
    assert stats["totals"]["interruptions"] >= 1
    metrics = live.client.get("/metrics").get_data(as_text=True)
    assert "warmtalk_live_running 1.0" in metrics
    assert 'warmtalk_live_frames_total{reason="lost"} 0.0' in metrics


def test_only_the_results_folder_holds_what_live_viewers_leave(live: Live) -> None:
    folder = live.runtime.sessions.registry.lookup("all").path.parent
    names = {path.name for path in Path(folder).iterdir()}
    assert not {name for name in names if "live" in name}
