// Worker: listens to the frames that the audio worklet sends, and reports turns to the page.

import { rootMeanSquare } from "./loudness.js";
import { Listener } from "./listener.js";
import { RATE_HZ } from "./silero.js";
import { wavOf } from "./wav.js";

/** On a busy computer, frames that are later than this are processed without learning, which is faster. */
const LATE_MS = 100;

let listener = null;

/**
 * The page sends `{model, frames}`: the address of the network's file, and a port of the worklet;
 * after a `word`, `{hadPerson}`.
 */
onmessage = ({ data }) => {
  if ("hadPerson" in data) listener.settle(data.hadPerson);
  else start(data);
};

async function start({ model, frames }) {
  const response = await fetch(model).catch(() => null);
  if (!response?.ok) return postMessage({ type: "missing" });
  listener = new Listener(await response.arrayBuffer());
  frames.onmessage = ({ data }) => listen(frames, data);
  postMessage({ type: "ready" });
}

function listen(worklet, { microphone, played, sentMs }) {
  const isLate = Date.now() - sentMs > LATE_MS;
  for (const { type, isClear, frames, whole } of listener.process(microphone, played, isLate)) {
    if (type === "sign") worklet.postMessage({ isSilenced: true });
    if (type === "false-alarm") worklet.postMessage({ isSilenced: false });
    postMessage({ type, isClear, recording: frames && recordingOf(frames), whole: whole && recordingOf(whole) });
  }
  postMessage({ type: "level", level: rootMeanSquare(microphone) });
}

function recordingOf(frames) {
  return wavOf(frames, RATE_HZ);
}
