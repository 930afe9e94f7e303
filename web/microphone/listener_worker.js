// Worker: listens to the frames that the audio worklet sends, and reports turns to the page.

import { rootMeanSquare } from "./loudness.js";
import { Listener } from "./listener.js";
import { RATE_HZ } from "./silero.js";
import { wavOf } from "./wav.js";

/** On a busy computer, frames that are later than this are processed without learning, which is faster. */
const LATE_MS = 100;

/** Frames in which speech must follow when the worklet suspects a voice: 0.4 s. */
const SUSPICION_FRAMES = 12;

let listener = null;
/** Frames until the suspicion ends. */
let suspicion = 0;

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

function listen(worklet, { microphone, played, sentMs, isSuspected }) {
  const isLate = Date.now() - sentMs > LATE_MS;
  for (const { type, isClear, frames } of listener.process(microphone, played, isLate)) {
    if (type === "sign") worklet.postMessage({ isSilenced: true });
    if (type === "false-alarm") worklet.postMessage({ isSilenced: false, wasNothing: true });
    postMessage({ type, isClear, recording: frames && wavOf(frames, RATE_HZ) });
  }
  doubt(worklet, isSuspected);
  postMessage({ type: "level", level: rootMeanSquare(microphone) });
}

/** The worklet has silenced the film because of a loud sound; it goes on unless that is speech. */
function doubt(worklet, isSuspected) {
  if (isSuspected) suspicion = SUSPICION_FRAMES;
  else if (suspicion === 0) return;
  suspicion -= 1;
  if (suspicion === 0 && listener.isQuiet) worklet.postMessage({ isSilenced: false, wasNothing: true });
}
