// Everything that happens to the sound of the microphone in hands-free mode, frame by frame.

import { EchoCanceller } from "./echo_canceller.js";
import { EchoGate } from "./echo_gate.js";
import { Silero } from "./silero.js";
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

  /**
   * Takes 512 samples of the microphone and of what was played; returns the TurnDetector's events.
   * `isLate`: more frames are waiting already.
   */
  process(microphone, played, isLate = false) {
    const rest = this.#withoutEcho(microphone, played, isLate);
    const verdict = this.#gate.compare(microphone, rest, played);
    const probability = this.#silero.probability(rest);
    const events = this.#turns.next(rest, probability, verdict, this.#gate.isPlaying);
    for (const { type } of events) {
      if (type === "false-alarm" || type === "person") this.#gate.settle(type === "person");
    }
    return events;
  }

  #withoutEcho(microphone, played, isLate) {
    const isSilent = played.every((sample) => sample === 0);
    this.#silentFrames = isSilent ? this.#silentFrames + 1 : 0;
    if (this.#silentFrames > IDLE_FRAMES) return microphone;
    return this.#canceller.process(microphone, played, !isLate);
  }
}
