// The film frames that the pictures of a live stream show.

/** RTP timestamps of pictures, ticks per millisecond. */
const RTP_PER_MS = 90;
/** Positions that are kept: those whose pictures may not have been shown yet. */
const MAX_POSITIONS = 64;
/** Browsers report no pictures of a hidden page. After this time the positions count from their arrival. */
const MAX_PICTURE_AGE_MS = 500;

export class LiveClock {
  #fps = 25;
  /** `{frame, rtp, receivedMs}` in order: from the picture `rtp` on, the stream shows `frame` and those after it. */
  #positions = [];
  /** The picture that was shown last: its RTP timestamp, and when. */
  #shown = null;
  /** How old a picture is when it is shown, where the browser does not report its timestamp. */
  delayMs = 80;

  /** Sets the frame rate of the film. */
  setRate(fps) {
    this.#fps = fps;
  }

  /** Adds a position that the server has sent. */
  addPosition({ frame, rtp }, nowMs = performance.now()) {
    const last = this.#positions.at(-1);
    if (last && this.#continues(last, frame, rtp)) return;
    this.#positions.push({ frame, rtp, receivedMs: nowMs });
    if (this.#positions.length > MAX_POSITIONS) this.#positions.shift();
  }

  /** True if a position is known; it may mean that nobody speaks. */
  get hasPosition() {
    return this.#positions.length > 0;
  }

  /** A picture with this RTP timestamp is shown at a time; undefined if the browser does not know it. */
  show(rtp, atMs) {
    if (rtp !== undefined) this.#shown = { rtp, atMs };
  }

  /** The frame of the film that is shown, as a fraction; null while nobody speaks. */
  frameAt(nowMs = performance.now()) {
    const position = this.#current(nowMs);
    if (!position || position.frame === null) return null;
    return position.frame + (this.#ageMs(position, nowMs) / 1000) * this.#fps;
  }

  /** The position, in seconds of the film, that is shown; null while nobody speaks. */
  timeAt(nowMs = performance.now()) {
    const frame = this.frameAt(nowMs);
    return frame === null ? null : frame / this.#fps;
  }

  /** When the position that is shown was received; null if none is. */
  receivedAt(nowMs = performance.now()) {
    return this.#current(nowMs)?.receivedMs ?? null;
  }

  /** True if a position has been received whose picture is not shown yet. */
  hasPending(nowMs = performance.now()) {
    return this.#current(nowMs) !== this.#positions.at(-1);
  }

  #continues(last, frame, rtp) {
    if (frame === null || last.frame === null) return frame === last.frame;
    const frames = (difference(rtp, last.rtp) / RTP_PER_MS / 1000) * this.#fps;
    return Math.abs(last.frame + frames - frame) < 0.5;
  }

  #current(nowMs) {
    return this.#positions.findLast((position) => this.#ageMs(position, nowMs) >= 0);
  }

  /** For how long the picture of a position has been shown; negative if it will be. */
  #ageMs({ rtp, receivedMs }, nowMs) {
    const sinceMs = this.#shown === null ? Infinity : Math.max(nowMs - this.#shown.atMs, 0);
    if (sinceMs > MAX_PICTURE_AGE_MS) return nowMs - receivedMs - this.delayMs;
    return difference(this.#shown.rtp, rtp) / RTP_PER_MS + sinceMs;
  }
}

/** The signed difference of two RTP timestamps, which have 32 bits. */
function difference(rtp, other) {
  return (rtp - other) | 0;
}
