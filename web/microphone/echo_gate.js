// Tells a person from what is left of the page's own sound in the microphone.

import { Fourier } from "./fourier.js";
import { FRAME_SAMPLES, RATE_HZ } from "./silero.js";

/** Limits of the bands that are compared, Hz. */
const EDGES_HZ = [150, 250, 350, 470, 600, 770, 970, 1200, 1500, 1850, 2300, 2800, 3400, 4200, 5200, 6400];
const SILENCE_DB = -100;
/** Sound is played if a band reaches this. */
const PLAYED_DB = -75;
/** Frames for which a sound that was played may return: 0.51 s of delay and reverberation. */
const RETURN_FRAMES = 16;
/** At the start, the microphone is assumed to hear what is played as loud as it is played. */
const FIRST_LEVEL_DB = 0;
/** The level of the return is learned as a high percentile: steps up and down per frame. */
const RISE_DB = 1;
const FALL_DB = 0.06;
/** It falls faster in the first frames, 1 s, so that a good echo cancellation is known at once. */
const FIRST_FRAMES = 32;
const FIRST_FALL_DB = 1;
/** A band is louder than the return by this much if somebody talks. */
const MARGIN_DB = 5;
/** Bands are not compared below the noise of the room. */
const NOISE_MARGIN_DB = 6;
const NOISE_RISE_DB = 0.03;
/** Share of the bands that must be louder. */
const MIN_SHARE = 0.3;

export class EchoGate {
  #fourier = new Fourier(FRAME_SAMPLES);
  #window = Float64Array.from({ length: FRAME_SAMPLES }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (at + 0.5)) / FRAME_SAMPLES));
  /** Levels of the frames that were played, the newest last. */
  #played = [];
  #returnDb = bands().fill(FIRST_LEVEL_DB);
  #noiseDb = bands().fill(-50);
  #learnedFrames = 0;

  /** True while something that was played may still be heard. */
  get isPlaying() {
    return this.#played.some((levels) => Math.max(...levels) > PLAYED_DB);
  }

  /**
   * Compares a frame of the microphone, without the echo that could be subtracted, with what was
   * played. Returns `{isNear, excessDb}`: whether somebody talks as far as this can tell, and by
   * how much the frame is louder than the return, in the median of the bands.
   */
  compare(rest, played) {
    this.#played.push(this.#levels(played));
    if (this.#played.length > RETURN_FRAMES) this.#played.shift();
    const levels = this.#levels(rest);
    const verdict = this.isPlaying ? this.#judge(levels) : { isNear: true, excessDb: Infinity };
    this.#learnNoise(levels);
    if (this.isPlaying && !verdict.isNear) this.#learnReturn(levels);
    return verdict;
  }

  /** A person was assumed, and it was the page's own sound: the return is louder than known. */
  correct(risenDb) {
    for (let band = 0; band < this.#returnDb.length; band += 1) this.#returnDb[band] += risenDb;
  }

  #judge(levels) {
    const expected = this.#expected();
    const excess = Array.from(levels, (level, band) => level - expected[band]);
    const louder = excess.filter((db) => db > MARGIN_DB).length;
    const median = excess.toSorted((a, b) => a - b)[excess.length >> 1];
    return { isNear: louder >= MIN_SHARE * excess.length, excessDb: median };
  }

  /** Levels that a frame without a person has at most. */
  #expected() {
    return this.#loudest().map((level, band) => {
      const echo = level > PLAYED_DB ? level + this.#returnDb[band] : SILENCE_DB;
      return Math.max(echo, this.#noiseDb[band] + NOISE_MARGIN_DB - MARGIN_DB);
    });
  }

  /** The loudest level of each band that may still return. */
  #loudest() {
    return bands().map((_, band) => Math.max(...this.#played.map((levels) => levels[band])));
  }

  #learnReturn(levels) {
    const loudest = this.#loudest();
    this.#learnedFrames += 1;
    const fall = this.#learnedFrames < FIRST_FRAMES ? FIRST_FALL_DB : FALL_DB;
    for (let band = 0; band < loudest.length; band += 1) {
      if (loudest[band] < PLAYED_DB) continue;
      const isLouder = levels[band] > loudest[band] + this.#returnDb[band];
      this.#returnDb[band] += isLouder ? RISE_DB : -fall;
    }
  }

  #learnNoise(levels) {
    for (let band = 0; band < levels.length; band += 1) {
      this.#noiseDb[band] = Math.min(levels[band], this.#noiseDb[band] + NOISE_RISE_DB);
    }
  }

  #levels(frame) {
    const { re, im } = this.#fourier.forward(frame.map((sample, at) => sample * this.#window[at]));
    return bands().map((_, band) => {
      const [from, to] = [EDGES_HZ[band], EDGES_HZ[band + 1]].map((hz) => Math.round((hz * FRAME_SAMPLES) / RATE_HZ));
      let power = 0;
      for (let bin = from; bin < to; bin += 1) power += re[bin] ** 2 + im[bin] ** 2;
      return Math.max(SILENCE_DB, 10 * Math.log10(power / FRAME_SAMPLES ** 2 + 1e-12));
    });
  }
}

function bands() {
  return new Float64Array(EDGES_HZ.length - 1);
}
