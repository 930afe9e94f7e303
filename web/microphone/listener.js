// Everything that happens to the sound of the microphone in hands-free mode, frame by frame.

import { EchoCanceller } from "./echo_canceller.js";
import { echoLikeness } from "./echo_likeness.js";
import { EchoGate } from "./echo_gate.js";
import { Silero } from "./silero.js";
import { TurnDetector } from "./turn_detector.js";

/** Nothing is subtracted from this many silent frames on, which saves the work. */
const IDLE_FRAMES = 20;
/** A word of a person is less like what was played than this; the echo of a changed room is more like it. */
const MAX_LIKENESS = 0.3;

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
   * Their `frames` are without echo. `settle` is due after a `word`.
   * `isLate`: more frames are waiting already.
   */
  process(microphone, played, isLate = false) {
    const rest = this.#withoutEcho(microphone, played, isLate);
    const verdict = this.#gate.compare(microphone, rest, played);
    const probability = this.#silero.probability(rest);
    const events = this.#turns.next({ rest, microphone, played }, probability, verdict, this.#gate.isPlaying);
    return events.map((event) => this.#completed(event));
  }

  /** True while nobody seems to speak. */
  get isQuiet() {
    return this.#turns.isQuiet;
  }

  /** Learns from a `word`, of which only the text tells if it was a person's. */
  settle(hadPerson) {
    this.#gate.settle(hadPerson);
  }

  #completed(event) {
    const { type, frames } = event;
    if (type === "word") return this.#judged(event);
    if (type === "false-alarm" || type === "person") this.settle(type === "person");
    return frames ? { type, frames: frames.map(({ rest }) => rest) } : event;
  }

  #judged({ type, frames, isClear }) {
    const of = (name) => frames.map((frame) => frame[name]);
    if (!isClear && echoLikeness(of("microphone"), of("played")) > MAX_LIKENESS) {
      this.settle(false);
      return { type: "false-alarm" };
    }
    return { type, isClear, frames: of("rest") };
  }

  #withoutEcho(microphone, played, isLate) {
    const isSilent = played.every((sample) => sample === 0);
    this.#silentFrames = isSilent ? this.#silentFrames + 1 : 0;
    if (this.#silentFrames > IDLE_FRAMES) return microphone;
    return this.#canceller.process(microphone, played, !isLate);
  }
}
