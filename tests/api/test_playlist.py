"""`GET live.m3u8`: the growing film as an HLS playlist."""

import gzip
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import assemble
from tests.api.growing_films import EVENTS, LIVE, growing_film, later, say, speak, status_of
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings

SEGMENT = re.compile(r"#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n(.*)\n")


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
    app: Flask, client: FlaskClient, threads: ThreadPoolExecutor
) -> None:
    say(client)
    known = SEGMENT.findall(client.get(LIVE).text)
    waiting = later(threads, app, f"{LIVE}?_HLS_msn={len(known)}&_HLS_skip=YES")
    say(client)
    listed = SEGMENT.findall(waiting.result(60).text)
    assert listed[: len(known)] == known
    assert len(listed) > len(known)
    assert SEGMENT.findall(client.get(f"{LIVE}?_HLS_msn=0").text)[: len(listed)] == listed


def test_a_player_that_has_the_playlist_waits_for_the_next_one(
    app: Flask, client: FlaskClient, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(client)
    first = client.get(LIVE)
    tag = first.headers["ETag"]
    waiting = later(threads, app, LIVE, **{"If-None-Match": tag})
    say(client)
    assert len(waiting.result(60).text) > len(first.text)
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
    app: Flask, client: FlaskClient, threads: ThreadPoolExecutor
) -> None:
    waiting = later(threads, app, LIVE)
    say(client)
    assert SEGMENT.findall(waiting.result(60).text)


def test_a_reset_ends_the_playlist_and_the_next_film_has_another_id(
    app: Flask, client: FlaskClient, runtime: Runtime, threads: ThreadPoolExecutor
) -> None:
    say(client)
    old = growing_film(runtime).film_id
    count = len(SEGMENT.findall(client.get(LIVE).text))
    waiting = later(threads, app, f"{LIVE}?_HLS_msn={count}")
    client.get("/reset")
    assert waiting.result(60).text.endswith("#EXT-X-ENDLIST\n")
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
