// The delay of a live stream, from the server's network to the screen, as the browser reports it.

export class LiveDelay {
  #last = null;
  /** Milliseconds from the arrival of pictures to the screen, and their number. */
  #shown = { sumMs: 0, count: 0 };

  /** Notes a picture: when it arrived, undefined if the browser does not know it, and when it is shown. */
  addPicture(receivedMs, shownMs) {
    if (!(shownMs >= receivedMs)) return;
    this.#shown.sumMs += shownMs - receivedMs;
    this.#shown.count += 1;
  }

  /**
   * Returns the milliseconds of the pictures since the last call: half of the round trip, and the time
   * from their arrival to the screen; where browsers do not report that, the jitter buffer and the decoder.
   * Null if no picture was shown. `streams` and `pairs` are the browser's statistics of what arrives, and
   * of the pairs of candidates.
   */
  measure(streams, pairs) {
    const video = streams.find(({ kind }) => kind === "video");
    const pair = pairs.find(({ nominated, state }) => nominated && state === "succeeded");
    const waitMs = this.#takeShownMs() ?? this.#bufferMs(video);
    return waitMs === null ? null : waitMs + (1000 * (pair?.currentRoundTripTime ?? 0)) / 2;
  }

  #takeShownMs() {
    const { sumMs, count } = this.#shown;
    this.#shown = { sumMs: 0, count: 0 };
    return count > 0 ? sumMs / count : null;
  }

  #bufferMs(video) {
    if (!video) return null;
    const last = this.#last ?? {};
    this.#last = video;
    const waitS = average(video, last, "jitterBufferDelay", "jitterBufferEmittedCount");
    const decodingS = average(video, last, "totalDecodeTime", "framesDecoded");
    return waitS === null ? null : 1000 * (waitS + (decodingS ?? 0));
  }
}

/** The average of a sum of times since the last statistics. */
function average(now, last, sum, count) {
  const items = (now[count] ?? 0) - (last[count] ?? 0);
  return items > 0 ? (now[sum] - (last[sum] ?? 0)) / items : null;
}
