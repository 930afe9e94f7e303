"""The server with the concat writer: films are ordinary MP4 files, replaced by each clip."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from flask.testing import FlaskClient

from app import assemble
from session.__main__ import main
from session.fragmented.boxes import iter_boxes
from tests.sessions import film_of, session_of
from tests.tiny_face import LoudnessEngine, tiny_avatar
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.render.jobs import Interrupted, SpeakJob, SpeechReady
from warm.runtime import Runtime
from warm.settings import Settings

FILM = "/session/full_session.mp4"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        results_dir=tmp_path / "results", avatar_id="tiny", writer="concat", archive_on_reset=True
    )


def say(client: FlaskClient, text: str = "Hello.") -> dict[str, object]:
    answer = client.post("/speak", json={"text": text})
    assert answer.status_code == 200, answer.text
    reply: dict[str, object] = answer.get_json()
    return reply


def pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_speech_is_added_to_an_ordinary_film_clip_by_clip(client: FlaskClient) -> None:
    first = say(client)
    path = Path(str(first["video_path"]))
    assert pictures(path) == first["clip"]["frames"]
    second = say(client, "And more.")
    assert second["clip"]["start_s"] == first["session"]["duration_s"]
    assert second["clip"]["frames"] % 8 == first["clip"]["frames"] % 8 == 0
    assert pictures(path) == first["clip"]["frames"] + second["clip"]["frames"]
    assert b"moof" not in [kind for kind, *_ in iter_boxes(path.read_bytes())]
    assert main(["check", str(path)]) == 0
    assert [clip["text"] for clip in client.get("/session").get_json()["clips"]] == [
        "Hello.",
        "And more.",
    ]
    assert "And more." in client.get("/session/full_session.vtt").text


SENTENCE = "The open ocean always amazes all of us, and nobody knows why we are so fond of it."


def job_in_progress(runtime: Runtime, text: str) -> SpeakJob:
    """Return a job that renders its fourth sentence: each is synthesized when its turn comes."""
    job = runtime.speak(session_of(runtime), text, runtime.choose())
    spoken = (event for event in job.events() if isinstance(event, SpeechReady))
    assert len(list(itertools.islice(spoken, 4))) == 4
    return job


def test_an_interrupted_clip_is_kept_up_to_its_end_and_the_next_one_follows(
    client: FlaskClient, runtime: Runtime
) -> None:
    before = say(client)["clip"]["frames"]
    job = job_in_progress(runtime, " ".join([SENTENCE] * 40))
    waiting = runtime.speak(session_of(runtime), "Never said.", runtime.choose())
    reply = client.post("/interrupt", json={}).get_json()
    assert (reply["interrupted"], reply["dropped"]) == (True, 1)
    with pytest.raises(Interrupted):
        waiting.result()
    spoken = job.result()
    assert spoken.interrupted
    assert spoken.clip.frames % 8 == 0
    film = film_of(runtime)
    assert reply["frame"] == film.committed.frames == before + spoken.clip.frames
    assert spoken.clip.frames < 40 * 3 * 25
    assert not spoken.clip.is_whole
    last = say(client, "Yes?")
    assert last["clip"]["start_s"] == reply["frame"] / 25
    assert pictures(film.path) == film.committed.frames
    assert main(["check", str(film.path)]) == 0
    assert sorted(each.name for each in film.path.parent.glob("*.mp4*")) == [
        "full_session.mp4",
        "full_session.mp4.lock",
    ]
    texts = [cue.text for cue in film.cues()]
    assert "Never said." not in texts
    assert 0 < texts.count(SENTENCE) < 40


def test_an_interrupted_clip_is_silent_at_its_end(client: FlaskClient, runtime: Runtime) -> None:
    """Catches a click where the sound of the next clip starts."""
    job_in_progress(runtime, " ".join([SENTENCE] * 40))
    frame = client.post("/interrupt", json={}).get_json()["frame"]
    path = Path(str(say(client, "Yes?")["video_path"]))
    with av.open(str(path)) as container:
        heard = np.concatenate([each.to_ndarray()[0] for each in container.decode(audio=0)])
    joint = frame * 1920
    assert np.abs(heard[joint - 1920 : joint]).max() < 0.01
    assert np.abs(heard[: joint - 1920]).max() > 0.1


def test_a_download_continues_only_while_the_film_is_the_same(client: FlaskClient) -> None:
    say(client)
    whole = client.get(FILM)
    tag = whole.headers["ETag"]
    part = client.get(FILM, headers={"Range": "bytes=100-", "If-Range": tag})
    assert (part.status_code, part.data) == (206, whole.data[100:])
    say(client)
    later = client.get(FILM, headers={"Range": "bytes=100-", "If-Range": tag})
    assert later.status_code == 200
    assert later.headers["ETag"] != tag
    assert later.data == client.get("/session/export.mp4").data
    assert len(later.data) > len(whole.data)


@pytest.mark.parametrize("url", ["/session/stream", "/session/live.m3u8", "/session/events"])
@pytest.mark.parametrize("is_spoken", [False, True])
def test_live_viewing_is_refused_with_the_setting_that_allows_it(
    client: FlaskClient, url: str, is_spoken: bool
) -> None:
    if is_spoken:
        say(client)
    answer = client.get(url)
    assert answer.status_code == 409
    assert answer.get_json()["kind"] == "NotLiveError"
    assert "`writer: fragments`" in answer.get_json()["detail"]


def test_there_is_no_film_before_the_first_clip(client: FlaskClient) -> None:
    assert client.get(FILM).status_code == 404
    assert client.get("/session/export.mp4").status_code == 404


def test_a_reset_archives_the_film_and_the_next_starts_empty(
    client: FlaskClient, settings: Settings
) -> None:
    reply = say(client)
    before = Path(str(reply["video_path"])).read_bytes()
    assert client.post("/reset").status_code == 200
    assert not Path(str(reply["video_path"])).exists()
    [kept] = settings.results_dir.glob("archive/**/*.mp4")
    assert kept.read_bytes() == before
    assert say(client)["session"]["clips"] == 1
    assert client.delete("/sessions/default").status_code == 200
    left = [path.name for path in settings.results_dir.iterdir() if "full_session" in path.name]
    assert left == []


@pytest.fixture
def again(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> Iterator[tuple[Runtime, Settings]]:
    """A server with the other writer, in the folder of a server that was stopped."""
    other = Settings(results_dir=settings.results_dir, avatar_id="tiny")
    runtime = Runtime(
        settings=other, avatar=tiny_avatar(tmp_path), engine=LoudnessEngine(), voices=voices
    )
    yield runtime, other
    runtime.close()


def test_a_film_of_the_other_writer_is_unusable_and_the_setting_is_named(
    client: FlaskClient, runtime: Runtime, again: tuple[Runtime, Settings]
) -> None:
    path = Path(str(say(client)["video_path"]))
    before = path.read_bytes()
    runtime.close()
    other, settings = again
    other.start()
    assert other.wait_until_warm(30)
    client = assemble(settings, other, AvatarStore(settings.results_dir)).test_client()
    answer = client.post("/speak", json={"text": "More."})
    assert answer.status_code == 409
    assert "`writer: concat`" in answer.get_json()["detail"]
    assert path.read_bytes() == before
