// Subtracts from the microphone what the page itself plays.

import { Fourier } from "./fourier.js";
import { FRAME_SAMPLES } from "./silero.js";

/** Samples of a block at 16 kHz: 16 ms. */
const BLOCK_SAMPLES = FRAME_SAMPLES / 2;
/** Blocks of the echo path: delays and reverberation up to 0.5 s. */
const PARTITIONS = 32;
/** The echo path is assumed to change slowly: share of it that is kept from block to block. */
const KEPT = 0.999 ** 2;
/** Uncertainty of the echo path at the start; a filter that is uncertain learns fast. */
const FIRST_UNCERTAINTY = 0.1;
/** Partitions whose filter is cut back to one block of taps at each step; the rest waits its turn. */
const CONSTRAINED = 4;
const TINY = 1e-10;
/** Power of the error is averaged over blocks. */
const SMOOTHING = 0.8;
/** Uncertainty that every block adds, so that a moved loudspeaker is learned again. */
const CHANGE = 1e-6;
/** A filter whose output is louder than the microphone for this many blocks starts again. */
const MAX_WORSE_BLOCKS = 30;

/**
 * Learns how the loudspeaker reaches the microphone, with a Kalman filter in the frequency domain
 * (Kuech, Mabande and Enzner: State-space architecture of the partitioned-block-based acoustic echo
 * controller, ICASSP 2014). It keeps what it has learned while somebody talks over the echo.
 */
export class EchoCanceller {
  #fourier = new Fourier(2 * BLOCK_SAMPLES);
  #played = new Float64Array(2 * BLOCK_SAMPLES);
  /** Spectra of the blocks that were played, the newest first. */
  #history = [];
  /** The echo path: filter and uncertainty of each partition. */
  #paths = [];
  /** Power of what is not echo, smoothed. */
  #rest = null;
  #step = 0;
  #worseBlocks = 0;

  constructor() {
    this.#forget();
  }

  /**
   * Returns a frame of the microphone without the echo of what was played in it and before.
   * Without `mayLearn` it takes a quarter of the time.
   */
  process(microphone, played, mayLearn = true) {
    const rest = new Float32Array(FRAME_SAMPLES);
    for (let at = 0; at < FRAME_SAMPLES; at += BLOCK_SAMPLES) {
      const block = (samples) => samples.subarray(at, at + BLOCK_SAMPLES);
      rest.set(this.#subtract(block(microphone), block(played), mayLearn), at);
    }
    return rest;
  }

  #subtract(microphone, played, mayLearn) {
    this.#remember(played);
    const echo = this.#fourier.inverse(this.#echoSpectrum()).subarray(BLOCK_SAMPLES);
    const rest = Float32Array.from(microphone, (sample, at) => sample - echo[at]);
    if (mayLearn) this.#learn(rest);
    return this.#checked(rest, microphone);
  }

  #forget() {
    const zeros = () => new Float64Array(this.#fourier.bins);
    this.#paths = Array.from({ length: PARTITIONS }, () => ({
      re: zeros(),
      im: zeros(),
      uncertainty: zeros().fill(FIRST_UNCERTAINTY),
    }));
    this.#rest = zeros();
    this.#history = Array.from({ length: PARTITIONS }, () => ({ re: zeros(), im: zeros(), power: zeros() }));
    this.#worseBlocks = 0;
  }

  #remember(played) {
    this.#played.copyWithin(0, BLOCK_SAMPLES);
    this.#played.set(played, BLOCK_SAMPLES);
    this.#history.pop();
    const { re, im } = this.#fourier.forward(this.#played);
    this.#history.unshift({ re, im, power: re.map((value, bin) => value * value + im[bin] * im[bin]) });
  }

  #echoSpectrum() {
    const { bins } = this.#fourier;
    const [re, im] = [new Float64Array(bins), new Float64Array(bins)];
    for (let index = 0; index < PARTITIONS; index += 1) addProduct(re, im, this.#history[index], this.#paths[index]);
    return { re, im };
  }

  #learn(rest) {
    const padded = new Float64Array(2 * BLOCK_SAMPLES);
    padded.set(rest, BLOCK_SAMPLES);
    const error = this.#fourier.forward(padded);
    const expected = this.#expectedPowers(error);
    this.#paths.forEach((path, index) => this.#update(path, this.#history[index], error, expected));
    for (let count = 0; count < CONSTRAINED; count += 1) {
      this.#constrain(this.#paths[this.#step % PARTITIONS]);
      this.#step += 1;
    }
  }

  /** Power that the error is expected to have: of what is uncertain about the path, and of the rest. */
  #expectedPowers(error) {
    const expected = new Float64Array(this.#fourier.bins);
    for (let bin = 0; bin < expected.length; bin += 1) {
      const power = error.re[bin] * error.re[bin] + error.im[bin] * error.im[bin];
      this.#rest[bin] = SMOOTHING * this.#rest[bin] + (1 - SMOOTHING) * power;
      expected[bin] = this.#rest[bin] + TINY;
    }
    for (let index = 0; index < PARTITIONS; index += 1) {
      const { uncertainty } = this.#paths[index];
      const { power } = this.#history[index];
      for (let bin = 0; bin < expected.length; bin += 1) expected[bin] += 0.5 * uncertainty[bin] * power[bin];
    }
    return expected;
  }

  #update({ re, im, uncertainty }, heard, error, expected) {
    for (let bin = 0; bin < expected.length; bin += 1) {
      const gain = uncertainty[bin] / expected[bin];
      const size = re[bin] * re[bin] + im[bin] * im[bin];
      const left = KEPT * (1 - 0.5 * gain * heard.power[bin]) * uncertainty[bin];
      uncertainty[bin] = left + (1 - KEPT) * size + CHANGE;
      re[bin] += gain * (heard.re[bin] * error.re[bin] + heard.im[bin] * error.im[bin]);
      im[bin] += gain * (heard.re[bin] * error.im[bin] - heard.im[bin] * error.re[bin]);
    }
  }

  /** Products of spectra are circular convolutions: the second half of the filter must be zero. */
  #constrain(path) {
    const taps = this.#fourier.inverse(path).fill(0, BLOCK_SAMPLES);
    const { re, im } = this.#fourier.forward(taps);
    path.re.set(re);
    path.im.set(im);
  }

  #checked(rest, microphone) {
    if (energy(rest) <= energy(microphone)) {
      this.#worseBlocks = 0;
      return rest;
    }
    this.#worseBlocks += 1;
    if (this.#worseBlocks > MAX_WORSE_BLOCKS) this.#forget();
    return Float32Array.from(microphone);
  }
}

/** Adds the product of two spectra to a third. */
function addProduct(re, im, one, other) {
  for (let bin = 0; bin < re.length; bin += 1) {
    re[bin] += one.re[bin] * other.re[bin] - one.im[bin] * other.im[bin];
    im[bin] += one.re[bin] * other.im[bin] + one.im[bin] * other.re[bin];
  }
}

function energy(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum;
}
