// Loudness of sound, and its place on a meter.

/** The meter begins here, dB below full scale. */
const RANGE_DB = 60;

export function rootMeanSquare(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}

/** Place on a meter, 0 to 1, of a root mean square. */
export function meterPlace(level) {
  return Math.min(1, Math.max(0, 1 + (20 * Math.log10(level + 1e-9)) / RANGE_DB));
}
