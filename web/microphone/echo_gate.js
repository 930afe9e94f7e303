// Tells a person from what is left of the page's own sound in the microphone.

import { Fourier } from "./fourier.js";
import { FRAME_SAMPLES, RATE_HZ } from "./silero.js";

/** Limits of the bands that are compared, Hz. */
const EDGES_HZ = [150, 250, 350, 470, 600, 770, 970, 1200, 1500, 1850, 2300, 2800, 3400, 4200, 5200, 6400];
const BANDS = EDGES_HZ.length - 1;
const SILENCE_DB = -100;
/** Something is played if a band reaches this. */
const PLAYED_DB = -75;
/** Frames for which a sound that was played may return: 0.51 s of delay and reverberation. */
const RETURN_FRAMES = 16;
/** Until enough is known, the microphone may hear what is played this much louder than it is played. */
const FIRST_RETURN_DB = 6;
const ENOUGH_FRAMES = RETURN_FRAMES + 12;
/** The return is learned from the last frames without a person, 4 s, as a high percentile. */
const LEARNED_FRAMES = 128;
const PERCENTILE = 0.95;
/** Frames from one estimate to the next. */
const LEARN_EVERY = 4;
/** A band is louder than the return by this much if somebody talks. */
const MARGIN_DB = 5;
/** Share of the bands that must be louder. */
const MIN_SHARE = 0.3;
const INAUDIBLE_SHARE = 0.8;
/** The noise of the room: it follows falling levels at once, rising ones by this much a frame. */
const FIRST_NOISE_DB = -50;
const NOISE_RISE_DB = 0.03;
/** Noise varies; this much above its minimum is still noise. */
const NOISE_RANGE_DB = 6;

export class EchoGate {
  #fourier = new Fourier(FRAME_SAMPLES);
  #window = Float64Array.from({ length: FRAME_SAMPLES }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (at + 0.5)) / FRAME_SAMPLES));
  /** Levels of the frames that were played, the newest last. */
  #played = [];
  /** Frames without a person, the newest last: how much louder than the sound played, per band. */
  #returns = [];
  /** The same of frames that seem to have a person. */
  #doubtful = [];
  #returnDb = new Float64Array(BANDS).fill(FIRST_RETURN_DB);
  #learnedFrames = 0;
  #noiseDb = new Float64Array(BANDS).fill(FIRST_NOISE_DB);

  /** True while something that was played may still be heard. */
  get isPlaying() {
    return this.#played.some((levels) => Math.max(...levels) > PLAYED_DB);
  }

  /**
   * Compares a frame of the microphone, without the echo that could be subtracted, with what was
   * played. Returns `{isNear, excessDb}`: whether somebody talks as far as this can tell, and by
   * how much the frame is louder than the return, in the median of the bands; infinitely if no
   * return can be heard.
   */
  compare(rest, played) {
    this.#played.push(this.#levels(played));
    if (this.#played.length > RETURN_FRAMES) this.#played.shift();
    const levels = this.#levels(rest);
    const verdict = this.isPlaying ? this.#judge(levels) : { isNear: true, excessDb: Infinity };
    this.#learnNoise(levels);
    return verdict;
  }

  /** A person was assumed, and it was the page's own sound: learns from those frames, too. */
  accept() {
    this.#learn(this.#doubtful);
    this.#doubtful = [];
  }

  /** It was a person. */
  reject() {
    this.#doubtful = [];
  }

  #judge(levels) {
    const loudest = this.#loudest();
    const excess = Array.from(levels, (level, band) => level - this.#expected(loudest[band], band));
    const louder = excess.filter((db) => db > MARGIN_DB).length;
    const isNear = louder >= MIN_SHARE * BANDS;
    const returned = Array.from(levels, (level, band) => this.#returned(level, loudest[band], band));
    if (isNear) this.#doubtful = [...this.#doubtful, returned].slice(-RETURN_FRAMES);
    else this.#learn([returned]);
    return { isNear, excessDb: this.#isInaudible(loudest) ? Infinity : middle(excess) };
  }

  /** How much louder a band is than the sound played; noise says nothing about it. */
  #returned(level, loudest, band) {
    const isNoise = level < this.#noiseDb[band] + NOISE_RANGE_DB;
    return isNoise || loudest < PLAYED_DB ? SILENCE_DB : level - loudest;
  }

  /** Level that a band has at most without a person. */
  #expected(loudest, band) {
    const echo = loudest > PLAYED_DB ? loudest + this.#returnDb[band] : SILENCE_DB;
    return Math.max(echo, this.#noiseDb[band] + NOISE_RANGE_DB);
  }

  /** True if the return is below the noise in most bands. */
  #isInaudible(loudest) {
    const inaudible = loudest.filter((level, band) => level + this.#returnDb[band] < this.#noiseDb[band] + NOISE_RANGE_DB);
    return this.#returns.length >= ENOUGH_FRAMES && inaudible.length >= INAUDIBLE_SHARE * BANDS;
  }

  /** The loudest level of each band that may still return. */
  #loudest() {
    return Array.from({ length: BANDS }, (_, band) => Math.max(...this.#played.map((levels) => levels[band])));
  }

  #learn(returns) {
    this.#returns = [...this.#returns, ...returns].slice(-LEARNED_FRAMES);
    this.#learnedFrames += returns.length;
    if (this.#returns.length < ENOUGH_FRAMES || this.#learnedFrames % LEARN_EVERY !== 0) return;
    const place = Math.floor(PERCENTILE * (this.#returns.length - 1));
    this.#returnDb = this.#returnDb.map((_, band) => this.#returns.map((each) => each[band]).sort(ascending)[place]);
  }

  #learnNoise(levels) {
    for (let band = 0; band < BANDS; band += 1) {
      this.#noiseDb[band] = Math.min(levels[band], this.#noiseDb[band] + NOISE_RISE_DB);
    }
  }

  #levels(frame) {
    const { re, im } = this.#fourier.forward(frame.map((sample, at) => sample * this.#window[at]));
    return Float64Array.from({ length: BANDS }, (_, band) => {
      const [from, to] = [binOf(EDGES_HZ[band]), binOf(EDGES_HZ[band + 1])];
      let power = 0;
      for (let bin = from; bin < to; bin += 1) power += re[bin] ** 2 + im[bin] ** 2;
      return Math.max(SILENCE_DB, 10 * Math.log10(power / FRAME_SAMPLES ** 2 + 1e-12));
    });
  }
}

function binOf(hz) {
  return Math.round((hz * FRAME_SAMPLES) / RATE_HZ);
}

function middle(values) {
  return values.toSorted(ascending)[values.length >> 1];
}

function ascending(a, b) {
  return a - b;
}
