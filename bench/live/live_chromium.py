"""A page with a live stream in Chromium: when each picture was shown, and the sound."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome

from bench.viewers.chromium import SessionPage, chromium

RTP_HZ = 90_000
FPS = 25
SOUND_STEP_S = 512 / 48_000
"""The sound is recorded as the loudest sample of each of these intervals."""

RECORD = (
    f"const STEP = {round(SOUND_STEP_S * 48_000)};"
    + """
// Unix times in ms. `pictures`: shown, RTP timestamp. `positions`: frame of the film, RTP
// timestamp. `sound`: when it is played, and its loudest sample at the volume of the page.
window.live = { pictures: [], positions: [], sound: [], answers: [] };
const unixMs = (ms) => performance.timeOrigin + ms;
const { createDataChannel } = RTCPeerConnection.prototype;
RTCPeerConnection.prototype.createDataChannel = function (...options) {
  const channel = createDataChannel.apply(this, options);
  channel.addEventListener("message", ({ data }) => {
    const { type, frame, rtp } = JSON.parse(data);
    if (type === "position") window.live.positions.push([frame, rtp]);
  });
  return channel;
};
const request = window.fetch;
window.fetch = async (url, options) => {
  const answer = await request(url, options);
  if (String(url).endsWith("/whep")) window.live.answers.push(unixMs(performance.now()));
  return answer;
};
addEventListener("DOMContentLoaded", () => {
  const video = document.getElementById("live");
  const record = (nowMs, { expectedDisplayTime, rtpTimestamp }) => {
    video.requestVideoFrameCallback(record);
    window.live.pictures.push([unixMs(Math.max(nowMs, expectedDisplayTime)), rtpTimestamp]);
  };
  video.requestVideoFrameCallback(record);
});
window.recordSound = () => {
  const context = new AudioContext();
  const video = document.getElementById("live");
  const source = context.createMediaStreamSource(video.srcObject);
  const meter = context.createScriptProcessor(STEP, 1, 1);
  meter.onaudioprocess = ({ inputBuffer, playbackTime }) => {
    const { contextTime, performanceTime } = context.getOutputTimestamp();
    const playedMs = unixMs(performanceTime + 1000 * (playbackTime - contextTime));
    let peak = 0;
    for (const sample of inputBuffer.getChannelData(0)) peak = Math.max(peak, Math.abs(sample));
    window.live.sound.push([playedMs, peak * video.volume]);
  };
  source.connect(meter).connect(context.destination);
};
"""
)
"""Script that runs in the page before its own."""


class LivePage(SessionPage):
    """The page of a session with its live stream."""

    def __init__(self, browser: Chrome, url: str) -> None:
        super().__init__(browser, url)
        self.wait(lambda: self.run("return document.querySelector('#stage.live') !== null"))

    def pictures(self) -> list[tuple[float, int | None]]:
        """Return when (Unix time, s) each picture so far was shown, and its frame of the film.

        The frame is None while nobody speaks.
        """
        positions = self.run("return window.live.positions")
        found = self.run("return window.live.pictures")
        return [(shown / 1000, film_frame(rtp, positions)) for shown, rtp in found]

    def is_talking(self) -> bool:
        """Return True while somebody speaks in the picture."""
        return bool(self.run("return document.querySelector('#stage.talking') !== null"))

    def shown_at_frame(self, first: int, after_s: float) -> float | None:
        """Return the Unix time at which a frame of the film, or a later one, was first shown."""
        for shown_s, frame in self.pictures():
            if frame is not None and frame >= first and shown_s > after_s:
                return shown_s
        return None

    def record_sound(self) -> None:
        """Record the sound from now on."""
        self.run("window.recordSound()")

    def sound(self) -> list[tuple[float, float]]:
        """Return Unix time (s) and loudest sample of each interval of the sound so far."""
        return [(ms / 1000, peak) for ms, peak in self.run("return window.live.sound")]

    def forget(self) -> None:
        """Forget the recorded pictures and sound."""
        self.run("window.live.pictures.length = window.live.sound.length = 0")

    def answer_to_picture_s(self) -> float:
        """Return the time from the answer of the server to the first picture on the screen."""
        answered = float(self.run("return window.live.answers[0]")) / 1000
        first_s, _ = self.wait(lambda: next(iter(self.pictures()), None))
        return float(first_s - answered)


def film_frame(rtp: int, positions: Sequence[tuple[int | None, int]]) -> int | None:
    """Return the frame of the film that a picture shows; None while nobody speaks."""
    for frame, since in reversed(positions):
        behind = ((rtp - since + (1 << 31)) % (1 << 32)) - (1 << 31)
        if behind >= 0:
            return None if frame is None else frame + round(behind * FPS / RTP_HZ)
    return None


@contextmanager
def live_chromium(profile: Path, desktop: Mapping[str, str] | None = None) -> Iterator[Chrome]:
    """Run a browser that records live streams."""
    with chromium(profile, desktop) as browser:
        source = {"source": RECORD}
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
        yield browser
