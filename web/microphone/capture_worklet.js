// Audio worklet: sends frames of 16 kHz of the microphone (input 0) and of what the page plays
// (input 1), which belong together. Its output is added to the gain of what the page plays: it
// silences the page at once, whatever the page's other threads are doing.

import { LoudSign } from "./loud_sign.js";

const RATE_HZ = 16000;
const FRAME_SAMPLES = 512;
/** Samples of one call. */
const QUANTUM = 128;
/** The resampling filter: zero crossings on each side, and places between two samples. */
const CROSSINGS = 12;
const PHASES = 64;
/** Edge of the filter, as a share of half the output's rate. */
const PASSED = 0.92;
/** Duration of the change between silence and sound. */
const FALL_S = 0.01;
const RISE_S = 0.05;
/** Longer than any utterance: silence ends even if nobody asks for it. */
const MAX_SILENCED_S = 35;

class Resampler {
  #ratio;
  #reach;
  #kernels;
  #input;
  #position;

  /** `ratio`: input samples per output sample. */
  constructor(ratio) {
    this.#ratio = ratio;
    const cutoff = PASSED / Math.max(1, ratio);
    this.#reach = Math.ceil(CROSSINGS / cutoff);
    this.#kernels = Array.from({ length: PHASES + 1 }, (_, phase) => kernel(phase / PHASES, this.#reach, cutoff));
    this.#input = new Float32Array(2 * this.#reach);
    this.#position = this.#reach;
  }

  /** Yields the output samples that are complete with these. */
  *process(samples) {
    const input = new Float32Array(this.#input.length + samples.length);
    input.set(this.#input);
    input.set(samples, this.#input.length);
    while (this.#position + this.#reach < input.length) {
      yield this.#interpolate(input);
      this.#position += this.#ratio;
    }
    const kept = Math.floor(this.#position) - this.#reach + 1;
    this.#input = input.slice(Math.max(0, kept));
    this.#position -= Math.max(0, kept);
  }

  #interpolate(input) {
    const whole = Math.floor(this.#position);
    const weights = this.#kernels[Math.round((this.#position - whole) * PHASES)];
    const first = whole - this.#reach + 1;
    let sum = 0;
    for (let at = 0; at < weights.length; at += 1) sum += weights[at] * input[first + at];
    return sum;
  }
}

/** A windowed sinc; weights of the samples from `1 - reach` to `reach` for a place between 0 and 1. */
function kernel(place, reach, cutoff) {
  const weights = Float64Array.from({ length: 2 * reach }, (_, index) => {
    const distance = index + 1 - reach - place;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (reach + 1));
    return sinc(cutoff * distance) * window;
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The gain of what the page plays; it changes slowly enough to make no click. */
class Gain {
  #value = 1;
  #silencedSamples = 0;
  isSilenced = false;

  /** Writes the gains of the next samples, less 1. */
  fill(changes) {
    for (let at = 0; at < changes.length; at += 1) changes[at] = this.#next() - 1;
  }

  #next() {
    this.#silencedSamples = this.isSilenced ? this.#silencedSamples + 1 : 0;
    if (this.#silencedSamples > MAX_SILENCED_S * sampleRate) this.isSilenced = false;
    const step = this.isSilenced ? -1 / FALL_S : 1 / RISE_S;
    this.#value = Math.min(1, Math.max(0, this.#value + step / sampleRate));
    return this.#value;
  }
}

class Capture extends AudioWorkletProcessor {
  #resamplers = [0, 1].map(() => new Resampler(sampleRate / RATE_HZ));
  #frames = newFrames();
  #filled = 0;
  #listener = null;
  #gain = new Gain();
  #loudSign = new LoudSign();
  #changes = new Float32Array(QUANTUM);
  #isRunning = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.#take(data);
  }

  process(inputs, [output]) {
    const [microphone, film] = inputs.map(mono);
    this.#gain.fill(this.#changes);
    output?.[0].set(this.#changes);
    const played = output ? film.map((sample, at) => sample * (1 + this.#changes[at])) : film;
    const heard = [...this.#resamplers[0].process(microphone)];
    const own = [...this.#resamplers[1].process(played)];
    heard.forEach((sample, at) => this.#add(sample, own[at]));
    return this.#isRunning;
  }

  /** From the page: `{listener}`, a port that frames are sent to, or null. From both: `{isSilenced}`. From the listener: `{wasNothing}`. */
  #take({ listener, isSilenced, wasNothing }) {
    if (wasNothing) this.#loudSign.forgive();
    if (isSilenced !== undefined) this.#gain.isSilenced = isSilenced;
    if (listener === undefined) return;
    this.#listener = listener;
    this.#isRunning = listener !== null;
    if (listener) listener.onmessage = ({ data }) => this.#take(data);
  }

  #add(microphone, played) {
    if (this.#loudSign.add(microphone, played) && !this.#gain.isSilenced) {
      this.#gain.isSilenced = true;
      this.#frames.isSuspected = true;
    }
    this.#frames.microphone[this.#filled] = microphone;
    this.#frames.played[this.#filled] = played;
    this.#filled += 1;
    if (this.#filled < FRAME_SAMPLES) return;
    const { microphone: heard, played: own } = this.#frames;
    this.#listener?.postMessage({ ...this.#frames, sentMs: Date.now() }, [heard.buffer, own.buffer]);
    this.#frames = newFrames();
    this.#filled = 0;
  }
}

function newFrames() {
  const samples = () => new Float32Array(FRAME_SAMPLES);
  return { microphone: samples(), played: samples(), isSuspected: false };
}

/** The mean of the channels; an input that nothing is connected to has none. */
function mono(channels) {
  if (channels.length === 0) return new Float32Array(QUANTUM);
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, at) => channels.reduce((sum, channel) => sum + channel[at], 0) / channels.length);
}

registerProcessor("warmtalk-capture", Capture);
