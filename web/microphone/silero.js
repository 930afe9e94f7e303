// The network Silero VAD: the probability that a frame of sound contains speech.

import { namedTensors } from "./onnx_weights.js";

export const RATE_HZ = 16000;
/** Samples of a frame: 32 ms. */
export const FRAME_SAMPLES = 512;
/** End of the previous frame that the network sees again, samples. */
const CONTEXT_SAMPLES = 64;
const WINDOW = 256;
const HOP = 128;
const BINS = WINDOW / 2 + 1;
const SPECTRA = 4;
const STATE = 128;
/** The encoder's convolutions, each over three steps: channels in, channels out, stride. */
const ENCODER = [
  { name: "encoder.0", inputs: BINS, outputs: 128, stride: 1 },
  { name: "encoder.1", inputs: 128, outputs: 64, stride: 2 },
  { name: "encoder.2", inputs: 64, outputs: 64, stride: 2 },
  { name: "encoder.3", inputs: 64, outputs: 128, stride: 1 },
];
const TAPS = 3;

/**
 * The network of `silero_vad_v6.onnx`, computed here: 0.7 million multiplications a frame.
 * That is less than a runtime for such files needs to load (14 MB), and needs no permission for
 * WebAssembly in the page's security policy.
 */
export class Silero {
  #weights;
  #input = new Float32Array(CONTEXT_SAMPLES + FRAME_SAMPLES + CONTEXT_SAMPLES);
  #hidden = new Float32Array(STATE);
  #cell = new Float32Array(STATE);
  #gates = new Float32Array(4 * STATE);

  /** `file`: the ArrayBuffer of the ONNX file. */
  constructor(file) {
    this.#weights = readWeights(file);
  }

  /** Forgets the sound before. */
  reset() {
    for (const state of [this.#input, this.#hidden, this.#cell]) state.fill(0);
  }

  /** Returns the probability of speech, 0 to 1, in the next 512 samples. */
  probability(frame) {
    const spectra = this.#spectra(frame);
    let features = { data: spectra, steps: SPECTRA };
    for (const layer of ENCODER) features = convolve(features, layer, this.#weights);
    this.#remember(features.data);
    return this.#decide();
  }

  /** Magnitudes, step by step: the frame after its context, mirrored at its end. */
  #spectra(frame) {
    const input = this.#input;
    const end = CONTEXT_SAMPLES + FRAME_SAMPLES;
    input.copyWithin(0, FRAME_SAMPLES, end);
    input.set(frame, CONTEXT_SAMPLES);
    for (let at = 0; at < CONTEXT_SAMPLES; at += 1) input[end + at] = input[end - 2 - at];
    const basis = this.#weights["stft.forward_basis_buffer"];
    const magnitudes = new Float32Array(SPECTRA * BINS);
    for (let step = 0; step < SPECTRA; step += 1) {
      for (let bin = 0; bin < BINS; bin += 1) {
        const real = dot(basis, bin * WINDOW, input, step * HOP, WINDOW);
        const imaginary = dot(basis, (bin + BINS) * WINDOW, input, step * HOP, WINDOW);
        magnitudes[step * BINS + bin] = Math.hypot(real, imaginary);
      }
    }
    return magnitudes;
  }

  /** One step of the LSTM; its gates are input, forget, cell, output. */
  #remember(features) {
    const weights = this.#weights;
    const [fromInput, fromHidden] = [weights["decoder.rnn.weight_ih"], weights["decoder.rnn.weight_hh"]];
    const [bias, hiddenBias] = [weights["decoder.rnn.bias_ih"], weights["decoder.rnn.bias_hh"]];
    for (let row = 0; row < 4 * STATE; row += 1) {
      const sum = dot(fromInput, row * STATE, features, 0, STATE) + dot(fromHidden, row * STATE, this.#hidden, 0, STATE);
      this.#gates[row] = sum + bias[row] + hiddenBias[row];
    }
    for (let unit = 0; unit < STATE; unit += 1) this.#update(unit);
  }

  #update(unit) {
    const [input, forget, candidate, output] = [0, 1, 2, 3].map((gate) => this.#gates[gate * STATE + unit]);
    this.#cell[unit] = sigmoid(forget) * this.#cell[unit] + sigmoid(input) * Math.tanh(candidate);
    this.#hidden[unit] = sigmoid(output) * Math.tanh(this.#cell[unit]);
  }

  #decide() {
    const weight = this.#weights["decoder.decoder.2.weight"];
    let sum = this.#weights["decoder.decoder.2.bias"][0];
    for (let unit = 0; unit < STATE; unit += 1) sum += weight[unit] * Math.max(0, this.#hidden[unit]);
    return sigmoid(sum);
  }
}

/** The file holds the weights for 16 kHz and for 8 kHz under the same names, one after the other. */
function readWeights(file) {
  const weights = {};
  let isWanted = false;
  for (const { name, dims, data } of namedTensors(file)) {
    if (name === "stft.forward_basis_buffer") isWanted = dims[2] === WINDOW;
    if (isWanted) weights[name] = data;
  }
  for (const { name, inputs, outputs } of ENCODER) {
    const weight = weights[`${name}.reparam_conv.weight`];
    if (weight?.length !== inputs * outputs * TAPS) {
      throw new Error(`The file of the speech detector has no ${name} of the expected size: run the set-up again.`);
    }
    weights[`${name}.reparam_conv.weight`] = stepsFirst(weight, inputs, outputs);
  }
  return weights;
}

/** (out, in, tap) to (out, tap, in), so that the inner loop runs over neighbours in memory. */
function stepsFirst(weight, inputs, outputs) {
  const turned = new Float32Array(weight.length);
  for (let out = 0; out < outputs; out += 1) {
    for (let at = 0; at < inputs; at += 1) {
      for (let tap = 0; tap < TAPS; tap += 1) {
        turned[(out * TAPS + tap) * inputs + at] = weight[(out * inputs + at) * TAPS + tap];
      }
    }
  }
  return turned;
}

/** A convolution over time with its rectifier; `data` is (step, channel), zero outside. */
function convolve({ data, steps }, { name, inputs, outputs, stride }, weights) {
  const [weight, bias] = [weights[`${name}.reparam_conv.weight`], weights[`${name}.reparam_conv.bias`]];
  const stepsOut = Math.ceil(steps / stride);
  const result = new Float32Array(stepsOut * outputs);
  for (let step = 0; step < stepsOut; step += 1) {
    const first = step * stride - 1;
    const from = Math.max(0, -first);
    const to = Math.min(TAPS, steps - first);
    for (let out = 0; out < outputs; out += 1) {
      const at = (out * TAPS + from) * inputs;
      const sum = bias[out] + dot(weight, at, data, (first + from) * inputs, (to - from) * inputs);
      result[step * outputs + out] = Math.max(0, sum);
    }
  }
  return { data: result, steps: stepsOut };
}

/** Four sums side by side: each addition need not wait for the one before. */
function dot(a, aFrom, b, bFrom, length) {
  let [one, two, three, four] = [0, 0, 0, 0];
  const end = length - (length % 4);
  for (let at = 0; at < end; at += 4) {
    one += a[aFrom + at] * b[bFrom + at];
    two += a[aFrom + at + 1] * b[bFrom + at + 1];
    three += a[aFrom + at + 2] * b[bFrom + at + 2];
    four += a[aFrom + at + 3] * b[bFrom + at + 3];
  }
  for (let at = end; at < length; at += 1) one += a[aFrom + at] * b[bFrom + at];
  return one + two + three + four;
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}
