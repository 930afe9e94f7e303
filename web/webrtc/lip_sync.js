// Keeps the pictures of a live stream together with its sound.
//
// The sound needs a longer jitter buffer than the pictures, and on a busy machine or network a much longer one.
// Browsers let the pictures wait for it, but some take half a minute to get there. This sets the jitter
// buffer of the pictures according to the measured distance.

/** Minimum delay of the pictures: enough to even out the times at which they arrive on a good network. */
export const MIN_TARGET_MS = 10;
const MAX_TARGET_MS = 400;
/** Smaller distances are not corrected: they are invisible, and every change makes a picture late. */
const TOLERANCE_MS = 10;
/** Measurements of one correction. One alone may be off by 60 ms: sound is taken by the loudspeaker in large pieces. */
const MEASUREMENTS = 4;
/** The largest change of the delay that browsers make within a second. */
const MAX_STEP_MS = 100;

export class LipSync {
  #targetMs = MIN_TARGET_MS;
  /** For how long the sound was late in each measurement since the last correction. */
  #latenesses = [];

  /** Returns the jitter buffer's target for the pictures, by the statistics of both streams, four times a second. */
  follow(statistics) {
    const [audio, video] = ["audio", "video"].map((wanted) => statistics.find(({ kind }) => kind === wanted));
    const lateMs = video?.estimatedPlayoutTimestamp - audio?.estimatedPlayoutTimestamp;
    // Before the first reports of the server it is unknown, or 0.
    if (!audio?.estimatedPlayoutTimestamp || !video?.estimatedPlayoutTimestamp) return this.#targetMs;
    this.#latenesses.push(lateMs);
    if (this.#latenesses.length < MEASUREMENTS) return this.#targetMs;
    const middleMs = median(this.#latenesses.splice(0));
    if (Math.abs(middleMs) <= TOLERANCE_MS) return this.#targetMs;
    const stepMs = Math.min(Math.max(middleMs, -MAX_STEP_MS), MAX_STEP_MS);
    this.#targetMs = Math.min(Math.max(this.#targetMs + stepMs, MIN_TARGET_MS), MAX_TARGET_MS);
    return this.#targetMs;
  }
}

/** The median of an even number of numbers. */
function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  return (sorted[numbers.length / 2 - 1] + sorted[numbers.length / 2]) / 2;
}
