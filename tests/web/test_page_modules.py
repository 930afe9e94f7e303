"""Modules of the page on their own, imported in a browser."""

from typing import Any

import pytest

from tests.web.browsing import browser_tests

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

PARSE = """
const { FragmentParser } = await import("/web/boxes.js");
const box = (type, ...content) => {
  const size = 8 + content.length;
  return [0, 0, 0, size, ...[...type].map((letter) => letter.charCodeAt(0)), ...content];
};
const film = [
  ...box("ftyp", 1), ...box("moov", 2, 3), ...box("uuid", 4),
  ...box("moof", 5), ...box("mdat", 6, 7), ...box("moof", 8), ...box("mdat"),
];
const parser = new FragmentParser();
const segments = [];
for (let at = 0; at < film.length; at += arguments[0]) {
  segments.push(...parser.push(new Uint8Array(film.slice(at, at + arguments[0]))));
}
return segments.map(({ kind, bytes }) => [kind, bytes.length]);
"""
CANCELLED = """
const { Transcript } = await import("/web/transcript.js");
const list = document.createElement("ol");
const transcript = new Transcript(list);
transcript.add("One", () => {});
transcript.add("Two", () => {}).fail("cancelled");
const clip = { text: "One", start_s: 0, duration_s: 1, whole: false };
const steps = [transcript.update(0, [clip]), list.textContent];
steps.push(transcript.update(0, []), list.textContent);
return steps;
"""
TRANSFORM = """
const { HeadPath, distance, interpolate, transformBetween } = await import("/web/head_pose.js");
const crop = { eyes: [128, 100], eye_distance: 60 };
const path = { width: 512, height: 600, crop, poses: [[1, 0, 10, 20], [0, 2, 300, 40]] };
const [one, other] = [new HeadPath(path).at(0), new HeadPath(path).at(3)];
const [a, b, , c, d, , e, f] = transformBetween(one, other);
const moved = (x, y) => [a * x + c * y + e, b * x + d * y + f];
const half = interpolate(one, other, 0.5);
return {
  eyes: [one.x, one.y], moved: moved(one.x, one.y), below: moved(one.x, one.y + 30),
  other: [other.x, other.y], half: [half.x, half.y], distance: distance(one, other) * 60,
};
"""
TRANSCRIPT = """
const { Transcript } = await import("/web/transcript.js");
const list = document.createElement("ol");
const transcript = new Transcript(list);
const clip = (start_s, text, whole = true) => ({ start_s, duration_s: 1, text, whole });
const state = () => [...list.children].map((item) => [item.className, item.textContent]);
const results = [];
transcript.update(0, [clip(0, "One"), clip(1, "Two", false)]);
transcript.add("Three 😀", () => results.push("onClip")).report("speaking");
transcript.add("Four", () => {}).fail("not spoken");
results.push(state(), transcript.update(transcript.lastIndex, [clip(1, "Two"), clip(2, "Three")]));
results.push(state(), transcript.update(transcript.lastIndex, [clip(0, "New film")]), state());
results.push(transcript.update(0, [clip(0, "New film")]), state());
return results;
"""

CAPTIONS = """
const { Captions } = await import("/web/captions.js");
const cue = (endMs) => `00:00:00.000 --> 00:00:01.${endMs}\\nFirst.\\n`;
const header = "WEBVTT\\n\\n";
const next = "\\n00:00:01.900 --> 00:00:02.500\\nSecond.\\n";
let file = "";
const realFetch = window.fetch;
window.fetch = async (_url, { headers }) => {
  const start = Number(/bytes=(\\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
  return new Response(file.slice(start), { status: start > 0 ? 206 : 200 });
};
const video = document.createElement("video");
const [line, button] = [document.createElement("p"), document.createElement("button")];
localStorage.setItem("captions", "off");
const captions = new Captions(video, { line, button, url: "/film.vtt" });
button.click(); // on: reads once
for (const grown of [...arguments[0].map((ms) => header + cue(ms)), header + cue(800) + next]) {
  file = grown;
  await captions.update();
  await new Promise((resolve) => setTimeout(resolve, 700));
}
window.fetch = realFetch;
localStorage.removeItem("captions");
return [...video.textTracks[0].cues].map((each) => [each.startTime, each.endTime, each.text]);
"""

STALLED = """
const { Playback } = await import("/web/playback.js");
const seeks = [];
const video = {
  paused: false, seeking: false, time: 3, endS: 4.4,
  get currentTime() { return this.time; },
  set currentTime(timeS) { seeks.push(timeS); },
  get buffered() { return { length: 1, start: () => 0, end: () => this.endS }; },
};
const playback = new Playback(video, document.createElement("button"));
const checkFor = async (checks) => {
  seeks.length = 0;
  for (let check = 0; check < checks; check += 1) {
    playback.checkStall();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return [...new Set(seeks)];
};
const results = [await checkFor(4), await checkFor(20)];
video.paused = true;
results.push(await checkFor(20));
[video.paused, video.time] = [false, 4.3];
results.push(await checkFor(20));
return results;
"""


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000])
def test_a_film_is_parsed_into_the_same_segments_however_it_arrives(
    run: Any, chunk_bytes: int
) -> None:
    segments = run(PARSE, chunk_bytes)
    assert segments == [["init", 9 + 10], ["fragment", 9 + 10], ["fragment", 9 + 8]]


def test_a_stream_that_is_not_mp4_is_refused(run: Any) -> None:
    message = run(
        'const { FragmentParser } = await import("/web/boxes.js");'
        "try { new FragmentParser().push(new Uint8Array(8)); }"
        "catch (error) { return error.message; }"
    )
    assert "box of 0 bytes" in message


def test_the_address_selects_session_player_and_start(run: Any) -> None:
    read = (
        'const { readOptions } = await import("/web/options.js"); return readOptions(arguments[0])'
    )
    assert run(read, "") == {
        "sessionId": "default",
        "sessionUrl": "session",
        "title": "",
        "mode": None,
        "player": None,
        "fromStart": False,
    }
    assert run(read, "?session=a%20b&mode=speak&player=hls&from=start") == {
        "sessionId": "a b",
        "sessionUrl": "sessions/a%20b",
        "title": "a b",
        "mode": "speak",
        "player": "hls",
        "fromStart": True,
    }


def test_another_session_is_opened_in_the_same_mode_and_by_the_same_player(run: Any) -> None:
    query = (
        'const { queryOfSession } = await import("/web/options.js");'
        "return queryOfSession(...arguments)"
    )
    assert run(query, "a b&c", "") == "?session=a+b%26c"
    assert run(query, "b", "?session=a&from=start&mode=speak") == "?session=b&mode=speak"
    assert run(query, "b", "?player=mse&mode=chat&session=a") == "?session=b&mode=chat&player=mse"


def test_poses_are_mapped_onto_one_another(run: Any) -> None:
    result = run(TRANSFORM)
    assert result["eyes"] == [138, 120]
    assert result["other"] == [100, 296]
    assert result["moved"] == pytest.approx(result["other"])
    below = [result["other"][0] - 60, result["other"][1]]  # turned by 90 degrees, twice as large
    assert result["below"] == pytest.approx(below)
    assert result["half"] == [119, 208]
    assert result["distance"] == pytest.approx((38**2 + 176**2) ** 0.5)


def test_the_transcript_follows_the_film_and_notices_that_it_was_replaced(run: Any) -> None:
    on_clip, before, updated, after, is_same_film, unchanged, replaced, last = run(TRANSCRIPT)
    spoken = [["spoken", "One1.0 s"], ["spoken interrupted", "Twointerrupted after 1.0 s"]]
    failed = ["failed", "Fournot spoken"]
    assert before == [*spoken, ["pending", "Three 😀speaking"], failed]
    assert (on_clip, updated) == ("onClip", True)
    assert after == [*spoken, ["spoken", "Three1.0 s"], failed]
    assert is_same_film is False
    assert unchanged == after
    assert replaced is True
    assert last == [["spoken", "New film1.0 s"]]


def test_a_cancelled_text_outlives_the_first_clip_but_not_the_film(run: Any) -> None:
    assert run(CANCELLED) == [True, "Oneinterrupted after 1.0 sTwocancelled", True, ""]


@pytest.mark.parametrize("ends_ms", [[100], [100, 300, 400, 500, 600]])
def test_a_cue_is_extended_however_often_it_is_read(run: Any, ends_ms: list[int]) -> None:
    """Catches an offset that moves into the only cue each time it is read again."""
    cues = run(CAPTIONS, ends_ms)
    assert cues == [[0, 1.8, "First."], [1.9, 2.5, "Second."]]


def test_a_film_that_stands_still_before_its_end_is_restarted(run: Any) -> None:
    """Catches answers that end in silence: after an underrun Chromium waits for film to come."""
    soon, later, paused, at_its_end = run(STALLED)
    assert (soon, later, paused, at_its_end) == ([], [3], [], [])
