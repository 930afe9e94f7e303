// How much of a recording is a delayed copy of what was played.

/** Both are compared at a quarter of their rate: most of the energy of speech is below 2 kHz. */
const DECIMATION = 4;

/**
 * Returns the largest correlation, 0 to 1, of the recording with what was played at the same time or
 * earlier; both are frames of the same moments.
 */
export function echoLikeness(recorded, played) {
  const heard = prepared(recorded);
  const own = prepared(played);
  const total = energies(heard).at(-1);
  const before = energies(own);
  let largest = 0;
  for (let lag = 0; 2 * lag < heard.length; lag += 1) {
    const norm = Math.sqrt(total * before[heard.length - lag]);
    if (norm > 0) largest = Math.max(largest, Math.abs(product(heard, own, lag)) / norm);
  }
  return largest;
}

/** Low frequencies, in which all voices are alike, are made quieter. */
function prepared(frames) {
  const samples = frames.flatMap((frame) => [...frame]);
  const fewer = Float32Array.from({ length: Math.floor(samples.length / DECIMATION) }, (_, at) => sum(samples, at * DECIMATION));
  return fewer.map((sample, at) => sample - 0.95 * (fewer[at - 1] ?? 0));
}

/** Energies of the first 0, 1, 2... samples. */
function energies(samples) {
  const sums = new Float64Array(samples.length + 1);
  for (let at = 0; at < samples.length; at += 1) sums[at + 1] = sums[at] + samples[at] ** 2;
  return sums;
}

function product(heard, own, lag) {
  let sum = 0;
  for (let at = lag; at < heard.length; at += 1) sum += heard[at] * own[at - lag];
  return sum;
}

function sum(samples, from) {
  let total = 0;
  for (let at = from; at < from + DECIMATION; at += 1) total += samples[at];
  return total;
}
