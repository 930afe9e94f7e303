// Hands-free listening: notices by itself when a person speaks and has finished.

import { filmSound } from "./film_sound.js";
import { MicrophoneError } from "./microphone_error.js";
import { closeMicrophone, openMicrophone } from "./microphone_stream.js";

const MODEL = new URL("../vendor/silero/silero_vad_v6.onnx", import.meta.url).href;
const MISSING =
  "Hands-free listening needs a file that is not installed: install npm on the server and run" +
  " `make setup` there. Until then, hold the microphone button while you talk.";

export class HandsFree {
  #stream;
  #connections = [];
  #capture = null;
  #worker;

  /**
   * Opens the microphone. Calls `onEvent({type, recording, isClear})` for the events of
   * TurnDetector, and for `level`; `onLost()` if the microphone is disconnected. Throws MicrophoneError.
   */
  static async start(face, { onEvent, onLost }) {
    const stream = await openMicrophone();
    const listening = new HandsFree(stream);
    try {
      await listening.#connect(face, onEvent);
    } catch (error) {
      listening.stop();
      throw error;
    }
    stream.getAudioTracks()[0].addEventListener("ended", onLost);
    return listening;
  }

  constructor(stream) {
    this.#stream = stream;
  }

  /** Lets the film be heard again after a `sign`; after a `false-alarm` it is heard without this. */
  restoreSound() {
    this.#capture?.port.postMessage({ isSilenced: false });
  }

  /** To be called after a `word`: whether a person has said it. */
  settle(hadPerson) {
    this.#worker.postMessage({ hadPerson });
  }

  stop() {
    for (const disconnect of this.#connections) disconnect();
    this.#capture?.port.postMessage({ listener: null });
    this.#worker?.terminate();
    closeMicrophone(this.#stream);
  }

  async #connect(face, onEvent) {
    const { context, film, gain } = await filmSound(face);
    const frames = new MessageChannel();
    await this.#startWorker(frames.port2, onEvent);
    const ends = { numberOfInputs: 2, numberOfOutputs: 1, outputChannelCount: [1] };
    const capture = new AudioWorkletNode(context, "warmtalk-capture", ends);
    capture.port.postMessage({ listener: frames.port1 }, [frames.port1]);
    this.#capture = capture;
    this.#join(context.createMediaStreamSource(this.#stream), capture, 0, 0);
    this.#join(film, capture, 0, 1);
    this.#join(capture, gain.gain);
  }

  #join(from, ...to) {
    from.connect(...to);
    this.#connections.push(() => from.disconnect(...to));
  }

  /** Resolves when the worker listens; it reports to `onEvent` from then on. */
  #startWorker(frames, onEvent) {
    this.#worker = new Worker(new URL("listener_worker.js", import.meta.url), { type: "module" });
    return new Promise((resolve, reject) => {
      this.#worker.addEventListener("error", ({ message }) => reject(new MicrophoneError(`${MISSING} (${message})`)));
      this.#worker.addEventListener("message", ({ data }) => {
        if (data.type === "ready") resolve();
        else if (data.type === "missing") reject(new MicrophoneError(MISSING));
        else onEvent(data);
      });
      this.#worker.postMessage({ model: MODEL, frames }, [frames]);
    });
  }
}
