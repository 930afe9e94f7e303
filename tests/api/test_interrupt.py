"""`POST /interrupt`: the current speech ends, and its film is complete."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from tests.sessions import film_of, session_of
from tests.tiny_face import MOUTH, PATCH, LoudnessEngine
from tts.speech import Speech
from warm.engines.viseme.phoneme_curves import mouth_track_from_phonemes
from warm.render.jobs import FragmentCommitted, Interrupted, SpeakJob
from warm.render.utterances import TAIL_FRAMES
from warm.runtime import Runtime

TEXT = "The open ocean always amazes all of us, and nobody knows why we are so fond of it."
LONG = " ".join([TEXT] * 40)


class LipsEngine(LoudnessEngine):
    """Shows the opening of the lips as the brightness of a square."""

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        return mouth_track_from_phonemes(speech, frames=frames, fps=fps)[:, :1]


@pytest.fixture
def engine() -> LoudnessEngine:
    return LipsEngine()


def speaking(runtime: Runtime, session_id: str = "default", text: str = LONG) -> SpeakJob:
    """A job of which some seconds are committed."""
    job = runtime.speak(session_of(runtime, session_id), text, runtime.choose())
    committed = (event for event in job.events() if isinstance(event, FragmentCommitted))
    assert len(list(itertools.islice(committed, 6))) == 6
    return job


def pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def lips(path: Path) -> NDArray[np.float64]:
    """(n,) brightness of the engine's square."""
    x, y = MOUTH
    inside = slice(y + 4, y + PATCH - 4), slice(x + 4, x + PATCH - 4)
    return np.array([picture[inside].mean() for picture in pictures(path)])


def sound(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as film:
        return np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])


def test_an_interrupted_request_answers_with_the_frames_it_has(
    client: FlaskClient, runtime: Runtime
) -> None:
    job = speaking(runtime)
    answer = client.post("/interrupt", json={"session_id": "default"})
    film = film_of(runtime)
    reply: dict[str, Any] = answer.get_json()
    assert answer.status_code == 200
    assert reply["interrupted"] is True
    assert reply["dropped"] == 0
    assert reply["frame"] == film.committed.frames == film.committed.clips[0].frames
    assert reply["position_s"] == reply["frame"] / 25
    assert 0 <= reply["played_s"] <= reply["position_s"]
    assert reply["heard"]["clip"] == 0
    assert LONG.startswith(reply["heard"]["text"])
    spoken = job.result()
    assert spoken.interrupted
    assert spoken.clip.frames == reply["frame"]
    assert spoken.clip.text == LONG
    assert not spoken.clip.is_whole
    assert len(list(pictures(film.path))) == reply["frame"]


def test_the_next_clip_starts_where_the_interrupted_one_ended(
    client: FlaskClient, runtime: Runtime
) -> None:
    speaking(runtime)
    frame = client.post("/interrupt", json={}).get_json()["frame"]
    answer = client.post("/speak", json={"text": "Yes?"}).get_json()
    assert answer["interrupted"] is False
    assert answer["clip"]["start_s"] == frame / 25
    clips = client.get("/session").get_json()["clips"]
    assert [clip["whole"] for clip in clips] == [False, True]


def test_waiting_requests_fail_and_other_sessions_continue(
    client: FlaskClient, runtime: Runtime
) -> None:
    speaking(runtime)
    waiting = runtime.speak(session_of(runtime), TEXT, runtime.choose())
    other = runtime.speak(session_of(runtime, "other"), "Yes.", runtime.choose())
    assert client.post("/interrupt").get_json()["dropped"] == 1
    with pytest.raises(Interrupted, match="before this request started"):
        waiting.result()
    assert not other.result().interrupted


def test_the_events_of_an_interrupted_request_end_with_done(
    client: FlaskClient, runtime: Runtime
) -> None:
    answer = client.post(
        "/speak", json={"text": LONG}, headers={"Accept": "text/event-stream"}, buffered=False
    )
    events = (line for chunk in answer.iter_encoded() for line in chunk.decode().split("\n\n"))
    assert any(event.startswith("event: fragment") for event in events)
    client.post("/interrupt")
    *_, done = (event for event in events if event)
    assert done.startswith("event: done")
    reply = json.loads(done.partition("data: ")[2])
    assert reply["interrupted"] is True
    assert reply["clip"]["frames"] == film_of(runtime).committed.frames


@pytest.mark.parametrize("session_id", ["default", "never-heard-of"])
def test_interrupting_silence_changes_nothing(client: FlaskClient, session_id: str) -> None:
    client.post("/speak", json={"text": "Yes."})
    before = client.get("/session").get_json()
    reply = client.post("/interrupt", json={"session_id": session_id}).get_json()
    assert (reply["interrupted"], reply["dropped"]) == (False, 0)
    assert client.get("/session").get_json() == before
    assert client.get("/sessions/never-heard-of").status_code == 404


def test_the_sound_ends_without_a_click_and_in_silence(
    client: FlaskClient, runtime: Runtime
) -> None:
    whole = sound(runtime.speak(session_of(runtime, "whole"), TEXT, runtime.choose()).result().path)
    job = speaking(runtime)
    client.post("/interrupt")
    samples = sound(job.result().path)
    end = int(np.flatnonzero(np.abs(samples) >= 0.01)[-1])
    fading = samples[max(0, end - 4800) :]
    assert np.abs(np.diff(fading, 2)).max() <= 1.1 * np.abs(np.diff(whole, 2)).max()
    assert np.abs(samples[-4 * 1920 :]).max() < 0.01


def test_the_lips_close_over_a_few_frames_and_rest(client: FlaskClient, runtime: Runtime) -> None:
    for number in range(4):
        session_id = f"s{number}"
        job = speaking(runtime, session_id)
        client.post("/interrupt", json={"session_id": session_id})
        clip = job.result()
        opening = lips(clip.path)
        speaking_part, closing = opening[:-10], opening[-10:]
        still = list(pictures(clip.path))[-1]
        x, y = MOUTH
        assert abs(still[y + 8, x + 8].mean() - still[4, 4].mean()) < 3
        largest_step = np.abs(np.diff(speaking_part)).max()
        assert np.abs(np.diff(closing[:-TAIL_FRAMES])).max() <= largest_step + 3
        assert closing[-TAIL_FRAMES - 1] < 5


def test_a_request_may_set_its_lead(client: FlaskClient) -> None:
    assert client.post("/speak", json={"text": "Yes.", "lead_s": 5}).status_code == 200
    refused = client.post("/speak", json={"text": "Yes.", "lead_s": 0.1})
    assert refused.status_code == 422
    assert "lead_s = 0.1" in refused.get_json()["detail"]


def test_an_invalid_session_id_is_refused(client: FlaskClient) -> None:
    refused = client.post("/interrupt", json={"session_id": "../up"})
    assert refused.status_code == 422
    assert refused.get_json()["details"]["body.session_id"]
