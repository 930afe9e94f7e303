// Distinguishes a person's voice from the rest of the page's own sound in the microphone.

import { Fourier } from "./fourier.js";
import { ReturnLevel } from "./return_level.js";
import { FRAME_SAMPLES, RATE_HZ } from "./silero.js";

/** Limits of the bands that are compared, Hz. */
const EDGES_HZ = [150, 250, 350, 470, 600, 770, 970, 1200, 1500, 1850, 2300, 2800, 3400, 4200, 5200, 6400];
const BANDS = EDGES_HZ.length - 1;
const SILENCE_DB = -100;
/** Something is played if a band reaches this. */
const PLAYED_DB = -75;
/** Frames for which a sound that was played may return: 0.51 s of delay and reverberation. */
const RETURN_FRAMES = 16;
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
  /** Of the microphone without the echo that could be subtracted, and as it is. */
  #rest = new ReturnLevel(BANDS);
  #whole = new ReturnLevel(BANDS);
  #noiseDb = new Float64Array(BANDS).fill(FIRST_NOISE_DB);

  /** True while something that was played may still be heard. */
  get isPlaying() {
    return this.#played.some((levels) => Math.max(...levels) > PLAYED_DB);
  }

  /**
   * Compares a frame of the microphone, as it is and without the echo that could be subtracted, with
   * what was played. Returns `{isNear, excessDb}`: whether somebody talks as far as this can tell;
   * and by how much the microphone as it is is louder than the return, in the median of the bands,
   * infinitely if no return can be heard. When the loudspeaker or the microphone moves, the echo
   * that is not subtracted any more seems near, but has no excess.
   */
  compare(microphone, rest, played) {
    this.#played.push(this.#levels(played));
    if (this.#played.length > RETURN_FRAMES) this.#played.shift();
    const levels = this.#levels(rest);
    const verdict = this.isPlaying ? this.#judge(this.#levels(microphone), levels) : { isNear: true, excessDb: Infinity };
    this.#learnNoise(levels);
    return verdict;
  }

  /** Learns from frames that seemed to have a person, if they had none. */
  settle(hadPerson) {
    this.#rest.settle(hadPerson);
    this.#whole.settle(hadPerson);
  }

  #judge(whole, rest) {
    const loudest = this.#loudest();
    const excess = this.#excess(rest, loudest, this.#rest);
    const isNear = excess.filter((db) => db > MARGIN_DB).length >= MIN_SHARE * BANDS;
    const excessDb = this.#isInaudible(loudest) ? Infinity : middle(this.#excess(whole, loudest, this.#whole));
    this.#learn(this.#rest, rest, loudest, isNear);
    this.#learn(this.#whole, whole, loudest, isNear);
    return { isNear, excessDb };
  }

  /** How much louder each band is than it is at most without a person. */
  #excess(levels, loudest, known) {
    return Array.from(levels, (level, band) => {
      const echo = loudest[band] > PLAYED_DB ? loudest[band] + known.db[band] : SILENCE_DB;
      return level - Math.max(echo, this.#noiseDb[band] + NOISE_RANGE_DB);
    });
  }

  #learn(known, levels, loudest, isNear) {
    const returned = Array.from(levels, (level, band) => this.#returned(level, loudest[band], band));
    if (isNear) known.doubt(returned);
    else known.learn(returned);
  }

  /** How much louder a band is than the sound played; noise says nothing about it. */
  #returned(level, loudest, band) {
    const isNoise = level < this.#noiseDb[band] + NOISE_RANGE_DB;
    return isNoise || loudest < PLAYED_DB ? SILENCE_DB : level - loudest;
  }

  /** True if the return is below the noise in most bands. */
  #isInaudible(loudest) {
    const isBelow = (level, band) => level + this.#whole.db[band] < this.#noiseDb[band] + NOISE_RANGE_DB;
    return this.#whole.isKnown && loudest.filter(isBelow).length >= INAUDIBLE_SHARE * BANDS;
  }

  /** The loudest level of each band that may still return. */
  #loudest() {
    return Array.from({ length: BANDS }, (_, band) => Math.max(...this.#played.map((levels) => levels[band])));
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
