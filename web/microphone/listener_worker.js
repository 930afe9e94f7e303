// Worker: listens to the frames that the audio worklet sends, and reports turns to the page.

import { rootMeanSquare } from "./loudness.js";
import { Listener } from "./listener.js";
import { RATE_HZ } from "./silero.js";
import { wavOf } from "./wav.js";

/** On a busy computer, frames that are later than this are processed without learning, which is faster. */
const LATE_MS = 100;

/** The page sends `{model, frames}`: the address of the network's file, and a port. */
onmessage = async ({ data: { model, frames } }) => {
  const response = await fetch(model).catch(() => null);
  if (!response?.ok) return postMessage({ type: "missing" });
  const listener = new Listener(await response.arrayBuffer());
  frames.onmessage = ({ data }) => listen(listener, data);
  postMessage({ type: "ready" });
};

function listen(listener, { microphone, played, sentMs }) {
  const isLate = Date.now() - sentMs > LATE_MS;
  for (const { type, frames } of listener.process(microphone, played, isLate)) {
    postMessage({ type, recording: frames && wavOf(frames, RATE_HZ) });
  }
  postMessage({ type: "level", level: rootMeanSquare(microphone) });
}
