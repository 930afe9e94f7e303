// One recording of the microphone, from the press of a button to its release.

import { rootMeanSquare } from "./loudness.js";
import { closeMicrophone, openMicrophone } from "./microphone_stream.js";

/** Formats of MediaRecorder in order of preference; Safari may have only the last. */
const FORMATS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];
const BITS_PER_S = 32_000;
/** People release the button before the last sound has arrived. */
const TAIL_MS = 120;
const LEVEL_INTERVAL_MS = 50;
/** A recording that nobody ends. */
const MAX_S = 120;

export class HeldRecording {
  #stream;
  #recorder;
  #parts = [];
  #level;
  #limit;

  /** Opens the microphone and records. Calls `onLevel(rms)` repeatedly. Throws MicrophoneError. */
  static async start({ onLevel, onLimit }) {
    return new HeldRecording(await openMicrophone(), onLevel, onLimit);
  }

  constructor(stream, onLevel, onLimit) {
    this.#stream = stream;
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
    this.#recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_S });
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#parts.push(data));
    this.#recorder.start();
    this.#level = new LevelMeter(stream, onLevel);
    this.#limit = setTimeout(onLimit, 1000 * MAX_S);
  }

  /** Ends the recording; returns it as `{blob, name}`. */
  async finish() {
    await new Promise((resolve) => setTimeout(resolve, TAIL_MS));
    const stopped = new Promise((resolve) => this.#recorder.addEventListener("stop", resolve));
    this.#recorder.stop();
    await stopped;
    this.#close();
    const { mimeType } = this.#recorder;
    return { blob: new Blob(this.#parts, { type: mimeType }), name: `recording.${extension(mimeType)}` };
  }

  /** Ends the recording and forgets it. */
  cancel() {
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
    this.#close();
  }

  #close() {
    clearTimeout(this.#limit);
    this.#level.stop();
    closeMicrophone(this.#stream);
  }
}

/** Measures the loudness of a stream. */
class LevelMeter {
  #context = new AudioContext();
  #timer;

  constructor(stream, onLevel) {
    const analyser = new AnalyserNode(this.#context, { fftSize: 1024 });
    const samples = new Float32Array(analyser.fftSize);
    this.#context.createMediaStreamSource(stream).connect(analyser);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      onLevel(rootMeanSquare(samples));
    }, LEVEL_INTERVAL_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#context.close();
  }
}

function extension(mimeType) {
  return mimeType.split(";")[0].split("/")[1];
}
