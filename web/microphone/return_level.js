// How loud the page's own sound comes back, band by band.

/** Until enough is known, it may come back this much louder than it is played, dB. */
const FIRST_DB = 6;
const ENOUGH_FRAMES = 28;
/** It is learned from the last frames without a person, 4 s, as a high percentile. */
const LEARNED_FRAMES = 128;
const PERCENTILE = 0.95;
/** Frames from one estimate to the next. */
const LEARN_EVERY = 4;
/** Frames that are kept until it is known whether a person was speaking. */
const DOUBTFUL_FRAMES = 16;

export class ReturnLevel {
  #frames = [];
  #doubtful = [];
  #learned = 0;
  #db;

  constructor(bands) {
    this.#db = new Float64Array(bands).fill(FIRST_DB);
  }

  /** How much louder than it was played each band comes back at most, dB. */
  get db() {
    return this.#db;
  }

  get isKnown() {
    return this.#frames.length >= ENOUGH_FRAMES;
  }

  /** Learns from frames without a person: how much louder each band was than played, dB. */
  learn(...frames) {
    this.#frames = [...this.#frames, ...frames].slice(-LEARNED_FRAMES);
    this.#learned += frames.length;
    if (!this.isKnown || (frames.length === 1 && this.#learned % LEARN_EVERY !== 0)) return;
    const place = Math.floor(PERCENTILE * (this.#frames.length - 1));
    this.#db = this.#db.map((_, band) => this.#frames.map((each) => each[band]).sort((a, b) => a - b)[place]);
  }

  /** Keeps a frame that seems to have a person. */
  doubt(frame) {
    this.#doubtful = [...this.#doubtful, frame].slice(-DOUBTFUL_FRAMES);
  }

  /** Learns from the doubtful frames if they had no person, and forgets them. */
  settle(hadPerson) {
    if (!hadPerson) this.learn(...this.#doubtful);
    this.#doubtful = [];
  }
}
