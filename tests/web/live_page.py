"""The page with a live stream, as tests see it: its pictures, its sound, and what it plays."""

from typing import Any

from tests.web.browsing import Page, ask

WATCH = """
// Records the pictures of the live stream while it is visible: their corner, and their mouth.
const live = document.getElementById("live");
const stage = document.getElementById("stage");
const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
window.livePictures = [];
const watch = () => {
  live.requestVideoFrameCallback(watch);
  context.drawImage(live, 0, 0, 96, 96);
  const grey = (x, y) => context.getImageData(x, y, 1, 1).data[0];
  const isVisible = stage.classList.contains("live");
  if (isVisible) window.livePictures.push({ corner: grey(2, 90), mouth: grey(48, 60) });
};
live.requestVideoFrameCallback(watch);
// The loudness of the live stream, before the page's own volume.
const audio = new AudioContext();
const analyser = audio.createAnalyser();
let source = null;
window.loudness = () => {
  if (source?.mediaStream !== live.srcObject) {
    source?.disconnect();
    source = live.srcObject && audio.createMediaStreamSource(live.srcObject);
    source?.connect(analyser);
  }
  audio.resume();
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
};
"""
BLOCK = """
// The network refuses the requests for a live stream while `isBlocked` is true.
window.isBlocked = true;
const request = window.fetch;
window.fetch = (url, options) => {
  const isRefused = window.isBlocked && String(url).endsWith("/whep");
  return isRefused ? Promise.reject(new TypeError("refused")) : request(url, options);
};
"""
HOLD = """
// A request for a live stream is sent when `release()` is called.
const released = new Promise((resolve) => (window.release = resolve));
const request = window.fetch;
window.fetch = async (url, options) => {
  if (String(url).endsWith("/whep")) await released;
  return request(url, options);
};
"""
NO_PATH = """
// No packet reaches the server: its candidates are addresses where nobody listens.
const apply = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
  const nowhere = sdp.replace(/(a=candidate:\\S+ \\d udp \\d+) \\S+ \\d+/gi, "$1 192.0.2.1 9");
  return apply.call(this, { type, sdp: nowhere });
};
RTCPeerConnection.prototype.addIceCandidate = async () => {};
"""
SPEECH = """
// Records the times, in seconds, at which speech is visible.
window.speech = [];
const look = () => {
  const { classList } = document.getElementById("stage");
  const isVisible = classList.contains("talking") || classList.contains("speaking");
  if (isVisible) window.speech.push(performance.now() / 1000);
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


LOSS = """
// Notes when the live stream is not shown, even for a moment.
const stage = document.getElementById("stage");
window.wasLost = false;
const note = () => (window.wasLost ||= !stage.classList.contains("live"));
new MutationObserver(note).observe(stage, { attributeFilter: ["class"] });
"""


class LivePage(Page):
    """The page of one session, which chooses its player itself."""

    default_query = ""

    def wait_until_live(self) -> None:
        """Wait until the live stream is shown."""
        self.wait(lambda: self.player() == "webrtc" and "live" in self.stage_classes())

    def watch_for_loss(self) -> None:
        """Note from now on whether the live stream is lost; it may be back soon."""
        self.run(LOSS)

    def wait_for_loss(self) -> None:
        """Wait until the live stream was lost since `watch_for_loss`."""
        self.wait(lambda: self.run("return window.wasLost"))

    def watch(self) -> None:
        """Record the live pictures and their sound from now on."""
        self.run(WATCH)

    def pictures(self) -> Any:
        """The recorded pictures: `{corner, mouth}`, greys."""
        return self.run("return window.livePictures")

    def loudness(self) -> float:
        """The loudest sample of the live stream now."""
        return float(self.run("return window.loudness()"))

    def live(self, what: str) -> Any:
        """A property of the element of the live stream."""
        return self.element("live", what)

    def player(self) -> Any:
        """The name of the player."""
        return self.element("player", "textContent")

    def reason(self) -> Any:
        """The reason why the live stream is not shown."""
        return self.element("reason", "textContent")

    def stage_classes(self) -> Any:
        return self.element("stage", "className").split()

    def is_speaking(self) -> bool:
        return bool({"talking", "speaking"} & set(self.stage_classes()))

    def live_process(self) -> Any:
        """The server's numbers of the live process."""
        return ask(self.port, "GET", "/stats")["live"]
