"""A growing film: its playlist, its events, its captions and its export."""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import assemble
from session.film import Cue
from session.fragmented.writer import FilmWriter
from tests.sessions import film_of
from tests.tiny_face import HEIGHT, WIDTH, LoudnessEngine, tiny_avatar
from tts.espeak import EspeakVoices
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings

SEGMENT = re.compile(r"#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n(.*)\n")
LIVE, EVENTS = "/session/live.m3u8", "/session/events"


@pytest.fixture
def app(settings: Settings, runtime: Runtime) -> Flask:
    return assemble(settings, runtime, AvatarStore(settings.results_dir))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def aside(app: Flask) -> Iterator[ThreadPoolExecutor]:
    """Threads for requests that wait while the test continues."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


def later(aside: ThreadPoolExecutor, app: Flask, url: str, **headers: str) -> Future[TestResponse]:
    """Send a request on another thread, which reads the whole response."""

    def ask() -> TestResponse:
        answer = app.test_client().get(url, headers=headers)
        answer.get_data()
        return answer

    return aside.submit(ask)


def say(client: FlaskClient, text: str = "Hello.", **more: object) -> Path:
    answer = client.post("/speak", json={"text": text, **more})
    assert answer.status_code == 200
    return Path(answer.get_json()["video_path"])


def growing_film(runtime: Runtime) -> FilmWriter:
    film = film_of(runtime)
    assert isinstance(film, FilmWriter)
    return film


def speak(film: FilmWriter, *counts: int, cues: Sequence[Cue] = ()) -> None:
    """Add a clip of fragments with these numbers of frames, as the render thread does."""
    clip = film.begin("a clip")
    for count in counts:
        here = film.committed.frames
        pictures = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * count
        begun = [cue for cue in cues if here <= cue.first_frame < here + count]
        clip.write(pictures, np.zeros(count * film.spec.samples_per_frame, np.float32), begun)
    clip.finish()


def status_of(answer: TestResponse) -> int:
    """Return the status of an error; check its form."""
    assert answer.mimetype == "application/problem+json"
    assert json.loads(answer.text)["status"] == answer.status_code
    return answer.status_code


# --- the playlist


def test_the_playlist_covers_the_whole_film_by_byte_ranges(client: FlaskClient) -> None:
    film = say(client).read_bytes()
    answer = client.get(LIVE)
    assert answer.mimetype == "application/vnd.apple.mpegurl"
    assert answer.headers["Cache-Control"] == "no-cache"
    (init,) = re.findall(r'#EXT-X-MAP:URI="(.*)",BYTERANGE="(\d+)@0"', answer.text)
    assert "#EXT-X-ENDLIST" not in answer.text
    played = [client.get(f"/session/{init[0]}").data[: int(init[1])]]
    for _, size, offset, uri in SEGMENT.findall(answer.text):
        last = int(offset) + int(size) - 1
        part = client.get(f"/session/{uri}", headers={"Range": f"bytes={offset}-{last}"})
        assert part.status_code == 206
        played.append(part.data)
    assert b"".join(played) == film


def test_every_session_has_a_playlist_of_its_own(client: FlaskClient) -> None:
    say(client, session_id="bob")
    text = client.get("/sessions/bob/live.m3u8").text
    (*_, uri) = SEGMENT.findall(text)[0]
    assert client.get(f"/sessions/bob/{uri}").status_code == 200
    assert status_of(client.get("/sessions/a.b/live.m3u8")) == 422


def test_a_reload_waits_for_the_requested_segment(
    app: Flask, client: FlaskClient, aside: ThreadPoolExecutor
) -> None:
    say(client)
    known = SEGMENT.findall(client.get(LIVE).text)
    waiting = later(aside, app, f"{LIVE}?_HLS_msn={len(known)}&_HLS_skip=YES")
    say(client)
    listed = SEGMENT.findall(waiting.result(20).text)
    assert listed[: len(known)] == known
    assert len(listed) > len(known)
    assert SEGMENT.findall(client.get(f"{LIVE}?_HLS_msn=0").text)[: len(listed)] == listed


def test_a_player_that_has_the_playlist_waits_for_the_next_one(
    app: Flask, client: FlaskClient, aside: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(client)
    first = client.get(LIVE)
    tag = first.headers["ETag"]
    waiting = later(aside, app, LIVE, **{"If-None-Match": tag})
    say(client)
    assert len(waiting.result(20).text) > len(first.text)
    monkeypatch.setattr("api.playlist.HOLD_S", 0.01)
    now = client.get(LIVE).headers["ETag"]
    assert now != tag
    nothing = client.get(LIVE, headers={"If-None-Match": now})
    assert (nothing.status_code, nothing.data, nothing.headers["ETag"]) == (304, b"", now)
    assert client.get(f"{LIVE}?_HLS_msn=999").status_code == 400


def test_a_wait_without_a_new_segment_ends_with_the_current_playlist(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.playlist.HOLD_S", 0.01)
    say(client)
    text = client.get(LIVE).text
    assert client.get(f"{LIVE}?_HLS_msn={len(SEGMENT.findall(text))}").text == text


def test_a_player_may_connect_before_the_first_clip(
    app: Flask, client: FlaskClient, aside: ThreadPoolExecutor
) -> None:
    waiting = later(aside, app, LIVE)
    say(client)
    assert SEGMENT.findall(waiting.result(20).text)


def test_a_reset_ends_the_playlist_and_the_next_film_has_another_id(
    app: Flask, client: FlaskClient, runtime: Runtime, aside: ThreadPoolExecutor
) -> None:
    say(client)
    old = growing_film(runtime).film_id
    count = len(SEGMENT.findall(client.get(LIVE).text))
    waiting = later(aside, app, f"{LIVE}?_HLS_msn={count}")
    client.get("/reset")
    assert waiting.result(20).text.endswith("#EXT-X-ENDLIST\n")
    say(client)
    for url in (LIVE, "/session/full_session.mp4", "/session/full_session.vtt"):
        assert status_of(client.get(f"{url}?film={old}")) == 410
        assert client.get(f"{url}?film={growing_film(runtime).film_id}").status_code == 200


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("_HLS_msn=x", "whole number"),
        ("_HLS_msn=-1", "whole number"),
        ("_HLS_msn=99", "the newest segment is"),
        ("_HLS_part=0", "only allowed with _HLS_msn"),
        ("window=2", "from 3"),
    ],
)
def test_an_invalid_reload_is_refused(client: FlaskClient, query: str, part: str) -> None:
    say(client)
    answer = client.get(f"{LIVE}?{query}")
    assert status_of(answer) == 400
    assert part in answer.get_json(force=True)["detail"]


@pytest.mark.parametrize("kind", ["stream", "events"])
@pytest.mark.parametrize("received", ["start", "-1", ""])
def test_an_invalid_start_position_is_refused_at_once(
    client: FlaskClient, kind: str, received: str
) -> None:
    answer = client.get(f"/session/{kind}?from={received}")
    assert status_of(answer) == 400
    assert f"from = {received!r}: must be a whole number" in answer.get_json(force=True)["detail"]


def test_a_long_playlist_is_compressed_or_cut_to_a_window_or_a_delta(
    client: FlaskClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.playlist.PACK_FROM_BYTES", 1000)
    monkeypatch.setattr("session.hls.SKIP_TARGETS", 6)
    say(client)
    speak(growing_film(runtime), *[5] * 60)
    plain = client.get(LIVE)
    packed = client.get(LIVE, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 5
    listed = SEGMENT.findall(plain.text)
    window = client.get(f"{LIVE}?window=4").text
    assert SEGMENT.findall(window) == listed[-4:]
    delta = client.get(f"{LIVE}?_HLS_skip=YES").text
    (skipped,) = re.findall(r"SKIPPED-SEGMENTS=(\d+)", delta)
    assert SEGMENT.findall(delta) == listed[int(skipped) :]
    assert len(delta) < len(plain.text)


def test_a_waiting_reload_takes_a_viewer_slot(
    settings: Settings, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.playlist.HOLD_S", 0.01)
    few = settings.model_copy(update={"max_watchers": 1})
    client = assemble(few, runtime, AvatarStore(settings.results_dir)).test_client()
    say(client)
    events = client.get(EVENTS)
    refused = client.get(LIVE, headers={"If-None-Match": client.get(LIVE).headers["ETag"]})
    assert status_of(refused) == 503
    assert refused.headers["Retry-After"] == "1"
    assert status_of(client.get(EVENTS)) == 503
    events.close()
    client.get(EVENTS).close()


# --- the events


class EventReader:
    """The events of one response, read while it grows."""

    def __init__(self, client: FlaskClient, query: str = "", **headers: str) -> None:
        self.answer = client.get(f"{EVENTS}{query}", headers=headers)
        assert self.answer.mimetype == "text/event-stream"
        self._chunks = self.answer.iter_encoded()
        assert next(self._chunks) == b"retry: 1000\n\n"

    def __enter__(self) -> "EventReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()

    def __iter__(self) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
        """Name, id and data."""
        for chunk in self._chunks:
            lines = dict(line.split(": ", 1) for line in chunk.decode().splitlines() if line)
            if "event" in lines:
                yield lines["event"], lines.get("id"), json.loads(lines["data"])


def test_events_report_the_film_its_fragments_and_its_end(
    client: FlaskClient, runtime: Runtime
) -> None:
    path = say(client)
    film = growing_film(runtime)
    with EventReader(client) as reader:
        ((name, event_id, hello),) = islice(reader, 1)
        assert name == "film"
        assert event_id == f"{film.film_id}:{path.stat().st_size}"
        assert hello == {
            "film": film.film_id,
            "url": f"/session/full_session.mp4?film={film.film_id}",
            "codecs": film.codecs,
            "width": WIDTH,
            "height": HEIGHT,
            "fps": 25,
            "init_bytes": film.init_bytes,
            "bytes": path.stat().st_size,
        }
        speak(film, 4)
        ((name, event_id, landed),) = islice(reader, 1)
        (last,) = film.fragments_since(hello["bytes"])
        assert (name, event_id) == ("fragment", f"{film.film_id}:{last.end}")
        assert (landed["offset"], landed["end"], landed["frames"]) == (last.offset, last.end, 4)
        assert landed["start_s"] == last.first_frame / 25
        assert client.get(hello["url"]).data[last.offset :] == path.read_bytes()[last.offset :]
        client.get("/reset")
        assert list(islice(reader, 1)) == [("reset", None, {"film": film.film_id})]
        say(client)
        ((name, _, second),) = islice(reader, 1)
        assert (name, second["film"]) == ("film", growing_film(runtime).film_id)
        assert next(iter(reader))[2]["offset"] == second["init_bytes"]


def test_a_client_that_reconnects_misses_nothing(client: FlaskClient, runtime: Runtime) -> None:
    say(client)
    film = growing_film(runtime)
    ends = [fragment.end for fragment in film.fragments_since(0)]
    last_id = {"Last-Event-ID": f"{film.film_id}:{ends[0]}"}
    with EventReader(client, **last_id) as reader:
        name, event_id, _ = next(iter(reader))
        assert (name, event_id) == ("film", f"{film.film_id}:{ends[0]}")
        assert [data["end"] for _, _, data in islice(reader, len(ends) - 1)] == ends[1:]
    client.get("/reset")
    say(client)
    with EventReader(client, **last_id) as reader:
        assert [name for name, *_ in islice(reader, 3)] == ["reset", "film", "fragment"]


def test_events_may_start_at_the_beginning_of_the_film(
    client: FlaskClient, runtime: Runtime
) -> None:
    say(client)
    fragments = growing_film(runtime).fragments_since(0)
    with EventReader(client, "?from=0") as reader:
        listed = [data for _, _, data in islice(reader, 1 + len(fragments))][1:]
    assert [data["offset"] for data in listed] == [each.offset for each in fragments]


def test_each_fragment_event_has_the_sentences_heard_in_it(
    client: FlaskClient, runtime: Runtime
) -> None:
    say(client)
    film = growing_film(runtime)
    first, start = film.committed.frames, film.committed.bytes
    one = Cue(text="One.", first_frame=first, frames=5)
    two = Cue(text="Two.", first_frame=first + 5, frames=6)
    speak(film, 4, 4, 4, cues=[one, two])
    with EventReader(client, f"?from={start}") as reader:
        fragments = [data for _, _, data in islice(reader, 4)][1:]
    seen = [
        [(cue["text"], cue["first_frame"] - first, cue["frames"]) for cue in data["cues"]]
        for data in fragments
    ]
    assert seen == [
        [("One.", 0, 4)],
        [("One.", 0, 5), ("Two.", 5, 3)],
        [("Two.", 5, 6)],
    ]


# --- the captions


def test_captions_grow_with_the_film(client: FlaskClient, runtime: Runtime) -> None:
    url = "/session/full_session.vtt"
    before = client.get(url)
    assert (before.mimetype, before.text) == ("text/vtt", "WEBVTT\n")
    say(client, "Hello there.")
    film = growing_film(runtime)
    first = client.get(url)
    assert "00:00:00.000 --> " in first.text
    assert first.text.endswith("\nHello there.\n")
    tag = first.headers["ETag"]
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    start = film.committed.frames / 25
    speak(film, 10, cues=[Cue(text="And on.", first_frame=film.committed.frames + 2, frames=5)])
    grown = client.get(url, headers={"If-None-Match": tag})
    assert grown.text.startswith(first.text)
    (begin, end) = re.findall(r"00:00:([\d.]+) --> 00:00:([\d.]+)\nAnd on", grown.text)[0]
    assert float(begin) == pytest.approx(start + 2 / 25)
    assert float(end) == pytest.approx(start + 7 / 25)
    rest = client.get(url, headers={"Range": f"bytes={len(first.data)}-"})
    assert (rest.status_code, first.data + rest.data) == (206, grown.data)


def test_each_sentence_has_a_cue_of_its_duration(client: FlaskClient) -> None:
    said = client.post("/speak", json={"text": "Hello world. And this is the second one."})
    clip_s = said.get_json()["clip"]["duration_s"]
    text = client.get("/session/full_session.vtt").text
    cues = re.findall(r"00:00:([\d.]+) --> 00:00:([\d.]+)\n(.*)\n", text)
    assert [words for *_, words in cues] == ["Hello world.", "And this is the second one."]
    (first, second) = [(float(begin), float(end)) for begin, end, _ in cues]
    assert first[0] == 0
    assert 0.5 < first[1] <= second[0] < second[1] <= clip_s
    assert second[1] > clip_s - 1


# --- films that do not grow


def test_a_film_of_the_concat_writer_is_not_live_but_has_captions_and_an_export(
    settings: Settings, engine: LoudnessEngine, voices: EspeakVoices, tmp_path: Path
) -> None:
    joining = settings.model_copy(update={"writer": "concat"})
    avatar = tiny_avatar(tmp_path)
    runtime = Runtime(settings=joining, avatar=avatar, engine=engine, voices=voices)
    runtime.start()
    try:
        assert runtime.wait_until_warm(30)
        client = assemble(joining, runtime, AvatarStore(settings.results_dir)).test_client()
        film = say(client, "Hello there.")
        for url in (LIVE, EVENTS, "/session/stream"):
            assert status_of(client.get(url)) == 409
        assert "\nHello there.\n" in client.get("/session/full_session.vtt").text
        with client.get("/session/export.mp4") as answer:
            assert answer.data == film.read_bytes()
    finally:
        runtime.close()


# --- the export


def test_the_export_is_an_ordinary_file_of_the_whole_film(
    client: FlaskClient, tmp_path: Path
) -> None:
    film = say(client)
    files = set(film.parent.rglob("*"))
    with client.get("/session/export.mp4") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "video/mp4")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="default.mp4"'
        assert answer.content_length == len(answer.data)
        assert set(film.parent.rglob("*")) == files
        assert answer.data.index(b"moov") < answer.data.index(b"mdat")
    out = tmp_path / "out.mp4"
    out.write_bytes(answer.data)
    with av.open(str(out)) as copy, av.open(str(film)) as original:
        for kept, made in zip(copy.decode(video=0), original.decode(video=0), strict=True):
            assert np.array_equal(kept.to_ndarray(), made.to_ndarray())
    head = client.head("/session/export.mp4")
    assert (head.status_code, head.data) == (200, b"")


def test_the_number_of_exports_is_limited_and_a_disconnected_client_frees_its_slot(
    client: FlaskClient,
) -> None:
    assert status_of(client.get("/session/export.mp4")) == 404
    film = say(client)
    files = set(film.parent.rglob("*"))
    taken = [client.get("/session/export.mp4") for _ in range(2)]
    refused = client.get("/session/export.mp4")
    assert status_of(refused) == 503
    assert int(refused.headers["Retry-After"]) > 0
    for begun in taken:
        next(begun.iter_encoded())
        begun.close()  # before the end
    with client.get("/session/export.mp4") as answer:
        assert answer.status_code == 200
    assert set(film.parent.rglob("*")) == files


def test_an_export_on_a_full_disk_is_answered_507(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    say(client)
    program = tmp_path / "full-ffmpeg"
    program.write_text("#!/bin/sh\necho No space left on device >&2\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    assert status_of(client.get("/session/export.mp4")) == 507
