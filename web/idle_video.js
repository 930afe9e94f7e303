// The looping video of the idle face.

/** An idle video that should play and has not moved for this long has lost its data. */
const STALL_TIMEOUT_MS = 2500;

/** Users who ask for reduced motion get a still idle face, and fades instead of morphs. */
export const REDUCED_MOTION = matchMedia("(prefers-reduced-motion: reduce)");

export class IdleVideo {
  #video;
  #fps = 25;
  #frames = 1;
  #isLooping = false;
  #lastMove = { timeS: 0, atMs: 0 };

  constructor(video) {
    this.#video = video;
    video.addEventListener("seeked", () => this.#resume());
    REDUCED_MOTION.addEventListener("change", () => {
      if (REDUCED_MOTION.matches) video.pause();
      else this.#resume();
    });
  }

  get video() {
    return this.#video;
  }

  get fps() {
    return this.#fps;
  }

  /** The frame of the loop that is displayed. */
  get frame() {
    return Math.floor(this.#video.currentTime * this.#fps);
  }

  get isReady() {
    return this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  /**
   * Loads a loop and plays it from `frame` on; returns false if it is loaded already. A loop whose
   * data was lost is loaded again: some players request it again at every repetition.
   */
  load({ url, fps, frames, frame }) {
    [this.#fps, this.#frames] = [fps, frames];
    if (this.#video.getAttribute("src") === url && !this.#hasStalled()) return false;
    this.#isLooping = true;
    this.#video.addEventListener("loadedmetadata", () => this.#seek(frame), { once: true });
    this.#video.src = url;
    return true;
  }

  play() {
    this.#isLooping = true;
    this.#resume();
  }

  /** Pauses while it is hidden. */
  rest() {
    this.#isLooping = false;
    this.#video.pause();
  }

  /** Pauses on a frame of the film, which continues the loop. */
  hold(frame) {
    this.rest();
    this.#seek(frame);
  }

  #hasStalled() {
    const { currentTime: timeS, paused, seeking, networkState } = this.#video;
    const isLoading = networkState === HTMLMediaElement.NETWORK_LOADING;
    const mayRest = isLoading || (paused && !seeking) || document.hidden;
    const nowMs = performance.now();
    if (mayRest || timeS !== this.#lastMove.timeS) this.#lastMove = { timeS, atMs: nowMs };
    return nowMs - this.#lastMove.atMs > STALL_TIMEOUT_MS;
  }

  /** Seeks to the middle of a frame, which rounding cannot turn into its neighbour. */
  #seek(frame) {
    this.#video.currentTime = ((frame % this.#frames) + 0.5) / this.#fps;
  }

  /** WebKitGTK stalls, or restarts its loop, when it is played while it seeks. */
  #resume() {
    if (!this.#isLooping || this.#video.seeking || REDUCED_MOTION.matches) return;
    this.#video.play().catch((error) => {
      if (error.name !== "AbortError") throw error; // paused again, or a new source
    });
  }
}
