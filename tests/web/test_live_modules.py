"""Modules of the live stream on their own, imported in a browser."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.web.browsing import browser_tests

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

CLOCK = """
const { LiveClock } = await import("/web/webrtc/live_clock.js");
const clock = new LiveClock();
const frames = [];
const first = 0xfffff000; // the timestamps wrap around within the first second
const rtp = (picture) => (first + 3600 * picture) >>> 0;
for (const [picture, frame] of arguments[0]) clock.addPosition({ frame, rtp: rtp(picture) }, 0);
for (const picture of arguments[1]) {
  clock.show(rtp(picture), 40 * picture);
  frames.push(clock.frameAt(40 * picture + 20));
}
return frames;
"""
UNSEEN = """
const { LiveClock } = await import("/web/webrtc/live_clock.js");
const clock = new LiveClock();
clock.delayMs = 100;
clock.addPosition({ frame: null, rtp: 5 }, 0);
clock.addPosition({ frame: 50, rtp: 90005 }, 1000);
return [1050, 1100, 1500].map((nowMs) => [clock.timeAt(nowMs), clock.hasPending(nowMs)]);
"""
DELAYS = """
const { LiveDelay } = await import("/web/webrtc/live_delay.js");
const delay = new LiveDelay();
const video = (pictures, waitS) => ({
  kind: "video", jitterBufferDelay: waitS, jitterBufferEmittedCount: pictures,
  totalDecodeTime: 0.002 * pictures, framesDecoded: pictures,
});
const pairs = [{ nominated: true, state: "succeeded", currentRoundTripTime: 0.02 }];
const measured = [delay.measure([], pairs), delay.measure([video(10, 0.3)], pairs)];
delay.addPicture(undefined, 90);
measured.push(delay.measure([video(20, 0.7)], pairs));
delay.addPicture(100, 145);
delay.addPicture(140, 195);
measured.push(delay.measure([video(30, 1.1)], pairs));
return measured;
"""
LINKS = """
const { iceServers } = await import("/web/webrtc/link_header.js");
return iceServers(arguments[0]);
"""
CAPTIONS = """
const { LiveCaptions } = await import("/web/webrtc/live_captions.js");
const captions = new LiveCaptions();
captions.add({ text: "One.", first_frame: 10, frames: 5 });
captions.add({ text: "Two.", first_frame: 15, frames: 5 });
captions.add({ text: "Two.", first_frame: 15, frames: 10 });
return [null, 9.9, 10, 14.9, 15.1, 24, 25].map((frame) => captions.at(frame));
"""


def test_the_clock_knows_the_frame_of_each_picture_across_pauses_and_wraps(run: Any) -> None:
    positions = [(0, None), (10, 100), (20, 109), (30, None)]  # it stood still for one picture
    frames = run(CLOCK, positions, [5, 10, 19, 20, 29, 30, 40])
    assert frames == [None, 100.5, 109.5, 109.5, 118.5, None, None]


def test_a_position_counts_from_the_shown_picture_not_from_its_arrival(run: Any) -> None:
    before, *after = run(CLOCK, [(0, None), (10, 0), (500, 7)], [9, 11, 499])
    assert before is None
    assert after == pytest.approx([1.5, 489.5])


def test_the_delay_reaches_to_the_screen_where_the_browser_knows_it(run: Any) -> None:
    nothing, buffer, later, shown = run(DELAYS)
    assert nothing is None
    assert [buffer, later] == pytest.approx([30 + 2 + 10, 40 + 2 + 10])
    assert shown == pytest.approx(50 + 10)


def test_without_pictures_positions_count_from_their_arrival(run: Any) -> None:
    """A hidden page shows none."""
    assert run(UNSEEN) == [[None, True], [2, False], [2.4, False]]


def test_ice_servers_are_read_from_link_headers(run: Any) -> None:
    header = (
        '<stun:stun.example:3478>; rel="ice-server", <https://example/>; rel="next", '
        '<turn:turn.example:3478?transport=udp>; rel="ice-server"; username="1:a,\\"b"; '
        'credential="x;y="; credential-type="password"'
    )
    assert run(LINKS, header) == [
        {"urls": "stun:stun.example:3478"},
        {
            "urls": "turn:turn.example:3478?transport=udp",
            "username": '1:a,"b',
            "credential": "x;y=",
        },
    ]


@pytest.mark.parametrize(
    "header", [None, "", "nonsense", '<http://x>; rel="ice-server"', "<turn:x"]
)
def test_other_links_are_no_ice_servers(run: Any, header: str | None) -> None:
    assert run(LINKS, header) == []


def test_a_caption_is_shown_in_its_frames_and_may_be_extended(run: Any) -> None:
    assert run(CAPTIONS) == ["", "", "One.", "One.", "Two.", "Two.", ""]


LIP_SYNC = """
const { LipSync } = await import("/web/webrtc/lip_sync.js");
const lipSync = new LipSync();
const follow = ([audio, video]) => lipSync.follow([
  { kind: "audio", estimatedPlayoutTimestamp: audio },
  { kind: "video", estimatedPlayoutTimestamp: video },
]);
return arguments[0].map((measurements) => measurements.map(follow).at(-1));
"""


def test_the_pictures_wait_for_the_sound_step_by_step_and_no_longer_than_needed(run: Any) -> None:
    lates_ms = (100, 30, 5, -30, -100, -100)
    assert run(LIP_SYNC, seconds(lates_ms)) == [110, 140, 140, 110, 10, 10]
    assert run(LIP_SYNC, [[pair] * 4 for pair in ((None, 5), (5, None), (0, 99))]) == [10, 10, 10]


def test_single_measurements_of_the_distance_do_not_move_the_pictures(run: Any) -> None:
    assert run(LIP_SYNC, [[(1000, 1000 + late) for late in (0, 5, 90, -5)]]) == [10]
    assert run(LIP_SYNC, [*seconds([100]), *([pair] for pair in [(1000, 1100)] * 3)]) == [110] * 4


def seconds(lates_ms: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Measurements of a second each: when a sound and a picture of one moment are played."""
    return [[(1000, 1000 + late)] * 4 for late in lates_ms]
