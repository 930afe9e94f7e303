// The delay of a live stream, from the server's network to the screen, by the browser's statistics.

export class LiveDelay {
  #last = null;

  /**
   * Returns the milliseconds of the pictures since the last call: half of the round trip, the
   * jitter buffer, and the decoder. Null if none was shown. `streams` and `pairs` are the browser's
   * statistics of what arrives, and of the pairs of candidates.
   */
  measure(streams, pairs) {
    const video = streams.find(({ kind }) => kind === "video");
    const pair = pairs.find(({ nominated, state }) => nominated && state === "succeeded");
    if (!video) return null;
    const last = this.#last ?? {};
    this.#last = video;
    const waitS = average(video, last, "jitterBufferDelay", "jitterBufferEmittedCount");
    const decodingS = average(video, last, "totalDecodeTime", "framesDecoded");
    if (waitS === null) return null;
    return 1000 * (waitS + (decodingS ?? 0) + (pair?.currentRoundTripTime ?? 0) / 2);
  }
}

/** The average of a sum of times since the last statistics. */
function average(now, last, sum, count) {
  const items = (now[count] ?? 0) - (last[count] ?? 0);
  return items > 0 ? (now[sum] - (last[sum] ?? 0)) / items : null;
}
