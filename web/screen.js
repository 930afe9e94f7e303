// The <video> that the film is played in, whoever feeds it.

/** Players stop this close to the end: the sound ends a little before the pictures. */
const END_MARGIN_S = 0.2;
/** So much that was not played is not missed: a clip ends with a longer silence. */
const REST_S = 0.1;
/** How long the sound takes to fall silent, so that it does not click. */
const HUSH_MS = 60;

export class Screen {
  #video;
  #onMuted;
  #isStopped = false;
  #goesOnAtS = null;
  #picturesEndS = 0;

  /** `onMuted` is called when the browser lets the film play only without sound. */
  constructor(video, onMuted) {
    this.#video = video;
    this.#onMuted = onMuted;
    video.disableRemotePlayback = true; // what ManagedMediaSource asks for
  }

  get video() {
    return this.#video;
  }

  get time() {
    return this.#video.currentTime;
  }

  /** Calls `onPicture(timeS)` for each picture of the film that is shown, as far as the browser tells. */
  onPictures(onPicture) {
    if ("requestVideoFrameCallback" in this.#video) this.#tellPictures(onPicture);
    else this.#guessPictures(onPicture, this.time);
  }

  /** End of what is here, in seconds of the film. */
  get end() {
    return this.#video.buffered.end(this.#video.buffered.length - 1);
  }

  get start() {
    return this.#video.buffered.start(0);
  }

  get isEmpty() {
    return this.#video.buffered.length === 0;
  }

  /** Whether `stop` was called and nothing new has come since. */
  get isStopped() {
    return this.#isStopped;
  }

  /** Whether the player stands still because nothing is left to show. */
  get isStarved() {
    const hasNext = this.#video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    return this.isEmpty || (!hasNext && this.end - this.time < END_MARGIN_S);
  }

  /** Forget what was stopped: another film begins. */
  clear() {
    this.#isStopped = false;
    this.#goesOnAtS = null;
    this.#picturesEndS = 0;
    this.#video.volume = 1;
  }

  /** Something was added, whose pictures end at `picturesEndS`: begin with it, or go on. */
  advance(picturesEndS = 0) {
    if (this.isEmpty) return;
    if (this.#isStopped && !this.#hasNews()) return;
    if (this.#isStopped) this.clear();
    this.#picturesEndS = picturesEndS;
    // Who comes late begins with the first fragment that came for him.
    if (this.time < this.start) this.#video.currentTime = this.start;
    this.play(); // not awaited: it may need the next fragment to begin
  }

  /**
   * Wait where the next clip begins, so that nothing old is played before it: behind the last
   * picture, which is a little behind the last sound. Chromium wants more in store after every time
   * that it ran dry, in the end seconds, and would not begin with a short answer; a seek makes it
   * forget that.
   */
  rest() {
    if (this.isEmpty || this.#isStopped) return;
    this.#video.currentTime = this.end - this.time < REST_S ? this.#next : this.time;
  }

  /** Fall silent and stand still; the rest of what is here is not played. */
  stop() {
    this.#isStopped = true;
    this.#goesOnAtS = null;
    this.#hush(performance.now(), this.#video.volume);
  }

  /** Where to go on once something comes that lies behind `timeS`. */
  goOnAt(timeS) {
    if (!this.#isStopped) return;
    this.#goesOnAtS = timeS;
    this.#video.pause();
    this.#video.currentTime = Math.max(this.time, timeS);
    this.advance();
  }

  async play() {
    if (!this.#video.paused || this.#isStopped) return;
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name === "AbortError") return; // another film took its place, or it was stopped
      if (error.name !== "NotAllowedError" || this.#video.muted) throw error;
      this.#video.muted = true;
      this.#onMuted();
      this.play();
    }
  }

  #tellPictures(onPicture) {
    this.#video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.#tellPictures(onPicture);
      onPicture(mediaTime);
    });
  }

  /** What the clock stands at is shown, once there is a picture: all that older browsers let one know. */
  #guessPictures(onPicture, shownS) {
    const isShown = this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !this.#video.seeking;
    const timeS = isShown ? this.time : shownS;
    if (timeS !== shownS) onPicture(timeS);
    requestAnimationFrame(() => this.#guessPictures(onPicture, timeS));
  }

  get #next() {
    return Math.max(this.end, this.#picturesEndS);
  }

  #hasNews() {
    return this.#goesOnAtS !== null && this.end > this.#goesOnAtS + END_MARGIN_S / 4;
  }

  #hush(since, volume) {
    if (!this.#isStopped) return;
    const left = 1 - (performance.now() - since) / HUSH_MS;
    this.#video.volume = Math.max(0, volume * left);
    if (left > 0) setTimeout(() => this.#hush(since, volume), HUSH_MS / 8);
    else this.#video.pause();
  }
}
