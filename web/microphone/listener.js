// Everything that happens to the sound of the microphone in hands-free mode, frame by frame.

import { BLOCK_SAMPLES, EchoCanceller } from "./echo_canceller.js";
import { EchoGate } from "./echo_gate.js";
import { FRAME_SAMPLES, Silero } from "./silero.js";
import { TurnDetector } from "./turn_detector.js";

/** Nothing is subtracted from this many silent frames on, which saves the work. */
const IDLE_FRAMES = 20;

export class Listener {
  #silero;
  #canceller = new EchoCanceller();
  #gate = new EchoGate();
  #turns = new TurnDetector();
  #silentFrames = IDLE_FRAMES;

  /** `model`: the ArrayBuffer of Silero's file. */
  constructor(model) {
    this.#silero = new Silero(model);
  }

  /** Takes 512 samples of the microphone and of what was played; returns the TurnDetector's events. */
  process(microphone, played) {
    const rest = this.#withoutEcho(microphone, played);
    const verdict = this.#gate.compare(rest, played);
    const probability = this.#silero.probability(rest);
    const echoFrames = this.#gate.isPlaying ? this.#canceller.delayFrames : 0;
    const events = this.#turns.next(rest, probability, verdict, echoFrames);
    for (const { type } of events) {
      if (type === "false-alarm") this.#gate.accept();
      if (type === "person") this.#gate.reject();
    }
    return events;
  }

  reset() {
    this.#turns.reset();
  }

  #withoutEcho(microphone, played) {
    const isSilent = played.every((sample) => sample === 0);
    this.#silentFrames = isSilent ? this.#silentFrames + 1 : 0;
    if (this.#silentFrames > IDLE_FRAMES) return microphone;
    const rest = new Float32Array(FRAME_SAMPLES);
    for (let at = 0; at < FRAME_SAMPLES; at += BLOCK_SAMPLES) {
      const block = (samples) => samples.subarray(at, at + BLOCK_SAMPLES);
      rest.set(this.#canceller.process(block(microphone), block(played)), at);
    }
    return rest;
  }
}
