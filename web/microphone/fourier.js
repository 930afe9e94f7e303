// The discrete Fourier transform of real signals whose length is a power of two.

export class Fourier {
  #length;
  #reversed;
  #cosines;
  #sines;

  constructor(length) {
    this.#length = length;
    const bits = Math.log2(length);
    this.#reversed = Uint16Array.from({ length }, (_, index) => reverseBits(index, bits));
    const angles = Array.from({ length: length / 2 }, (_, index) => (2 * Math.PI * index) / length);
    this.#cosines = Float64Array.from(angles, Math.cos);
    this.#sines = Float64Array.from(angles, Math.sin);
  }

  /** Number of bins from 0 to half the rate. */
  get bins() {
    return this.#length / 2 + 1;
  }

  /** Returns `{re, im}`, `bins` values each. */
  forward(signal) {
    const [re, im] = [new Float64Array(this.#length), new Float64Array(this.#length)];
    for (let at = 0; at < this.#length; at += 1) re[this.#reversed[at]] = signal[at];
    this.#transform(re, im);
    return { re: re.subarray(0, this.bins), im: im.subarray(0, this.bins) };
  }

  /** Returns the real signal of a spectrum of `bins` values. */
  inverse({ re, im }) {
    const [length, half] = [this.#length, this.#length / 2];
    const [real, imaginary] = [new Float64Array(length), new Float64Array(length)];
    // The inverse is the forward transform of the conjugate spectrum, divided by the length.
    for (let bin = 0; bin < length; bin += 1) {
      const at = this.#reversed[bin];
      const mirrored = bin > half;
      real[at] = re[mirrored ? length - bin : bin];
      imaginary[at] = mirrored ? im[length - bin] : -im[bin];
    }
    this.#transform(real, imaginary);
    for (let at = 0; at < length; at += 1) real[at] /= length;
    return real;
  }

  /** In place; the input is in bit-reversed order. */
  #transform(re, im) {
    for (let size = 2; size <= this.#length; size *= 2) {
      for (let start = 0; start < this.#length; start += size) this.#butterflies(re, im, start, size);
    }
  }

  #butterflies(re, im, start, size) {
    const [half, stride] = [size / 2, this.#length / size];
    for (let at = 0; at < half; at += 1) {
      const [cosine, sine] = [this.#cosines[at * stride], -this.#sines[at * stride]];
      const [even, odd] = [start + at, start + at + half];
      const real = re[odd] * cosine - im[odd] * sine;
      const imaginary = re[odd] * sine + im[odd] * cosine;
      re[odd] = re[even] - real;
      im[odd] = im[even] - imaginary;
      re[even] += real;
      im[even] += imaginary;
    }
  }
}

function reverseBits(index, bits) {
  let reversed = 0;
  for (let bit = 0; bit < bits; bit += 1) reversed |= ((index >> bit) & 1) << (bits - 1 - bit);
  return reversed;
}
