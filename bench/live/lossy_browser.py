"""A Chromium that watches by WebRTC through a relay that loses packets."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from bench.live.lossy_relay import LossyRelay
from bench.server_process import ServerProcess
from bench.viewers.chromium import chromium

MINUTES = 2
FREEZE_MS = 1000.0
SCRIPT_S = 30.0
SEED = 7
TEXT = "Good morning, and thank you for calling. What can I do for you today? "

OFFER = """
const done = arguments[0];
const peer = window.peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
const video = document.createElement("video");
const stream = video.srcObject = new MediaStream();
video.muted = video.autoplay = true;
document.body.append(video);
peer.addEventListener("track", ({ track }) => stream.addTrack(track));
peer.addTransceiver("audio", { direction: "recvonly" });
peer.addTransceiver("video", { direction: "recvonly" });
window.shown = [];
const record = (now) => { window.shown.push(now); video.requestVideoFrameCallback(record); };
video.requestVideoFrameCallback(record);
(async () => {
  await peer.setLocalDescription(await peer.createOffer());
  const headers = { "content-type": "application/sdp" };
  const body = peer.localDescription.sdp.replace(/^a=candidate.*\\r\\n/gm, "");
  const answer = await fetch("/whep", { method: "POST", headers, body });
  done(await answer.text());
})();
"""
"""The offer has no candidates, so that the relay is the only path."""
ACCEPT = """
const [sdp, done] = arguments;
window.peer.setRemoteDescription({ type: "answer", sdp }).then(() => done());
"""
SHOWN = "return [performance.now(), window.shown.splice(0)]"


def freezes_a_minute(server: ServerProcess, loss: float, profile: Path) -> list[int]:
    """Return the number of freezes in each minute in which the session speaks, then is idle."""
    with chromium(profile) as browser, relay_loop() as loop:
        browser.set_script_timeout(SCRIPT_S)
        browser.get(server.url("/health"))
        relay = LossyRelay(loss, SEED)
        answer = browser.execute_async_script(OFFER)
        rewriting = asyncio.run_coroutine_threadsafe(relay.rewrite(answer), loop)
        browser.execute_async_script(ACCEPT, rewriting.result(SCRIPT_S))
        time.sleep(3.0)
        _, shown = browser.execute_script(SHOWN)
        if not shown:
            raise RuntimeError("nothing was shown through the relay")
        last_ms, counts = shown[-1], []
        for _ in range(MINUTES):
            speech = threading.Thread(
                target=server.json, args=("POST", "/speak", {"text": TEXT * 6})
            )
            speech.start()
            time.sleep(60.0)
            speech.join()
            now_ms, shown = browser.execute_script(SHOWN)
            times = [last_ms, *shown, now_ms]
            counts.append(sum(after - before > FREEZE_MS for before, after in pairwise(times)))
            last_ms = shown[-1] if shown else now_ms
        loop.call_soon_threadsafe(relay.close)
    return counts


@contextmanager
def relay_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
