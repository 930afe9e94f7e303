// Playback of the film in its <video> element, independent of the player that feeds it.

/** Players stop this close to the end: the audio ends a little before the video. */
const END_MARGIN_S = 0.2;
/** At most this much unplayed film may be skipped: a clip ends with a longer silence. */
const SKIPPABLE_S = 0.1;
/** A film that has something to play and stands still for this long seeks to its own position. */
const STALL_TIMEOUT_MS = 800;
/** Duration of the fade-out before a pause, which avoids a click. */
const FADE_OUT_MS = 60;

export class Playback {
  #video;
  #unmuteButton;
  #isStopped = false;
  #isHeld = false;
  #resumeAfterS = null;
  #videoEndS = 0;
  /** Nothing before this time of the film is played. */
  #startS = 0;
  #lastMove = { timeS: 0, atMs: 0 };

  /** Shows `unmuteButton` when the browser allows playback only without sound. */
  constructor(video, unmuteButton) {
    this.#video = video;
    this.#unmuteButton = unmuteButton;
    video.disableRemotePlayback = true; // required by ManagedMediaSource
    unmuteButton.addEventListener("click", () => this.unmute());
  }

  get video() {
    return this.#video;
  }

  get time() {
    return this.#video.currentTime;
  }

  /** End of the buffered film, in seconds. */
  get end() {
    return this.#video.buffered.end(this.#video.buffered.length - 1);
  }

  /** Position in the film that was heard; null if nothing of it is here. */
  get positionS() {
    return this.isEmpty ? null : this.time;
  }

  get start() {
    return this.#video.buffered.start(0);
  }

  get isEmpty() {
    return this.#video.buffered.length === 0;
  }

  /** True if `stop` was called and no new speech has arrived since. */
  get isStopped() {
    return this.#isStopped;
  }

  /** True if playback stands still because everything has been played. */
  get isStarved() {
    const hasNext = this.#video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    return this.isEmpty || (!hasNext && this.end - this.time < END_MARGIN_S);
  }

  /** Calls `onFrame(timeS)` for each frame of the film that is displayed. */
  onFrames(onFrame) {
    if ("requestVideoFrameCallback" in this.#video) this.#observeFrames(onFrame);
    else this.#estimateFrames(onFrame, this.time);
  }

  /** Resets the state of the previous film. */
  reset() {
    this.#isStopped = false;
    this.#resumeAfterS = null;
    this.#videoEndS = 0;
    this.#startS = 0;
    this.#video.volume = 1;
  }

  /** Plays a film that has just begun to arrive from this time on. */
  startAt(timeS) {
    this.#startS = timeS;
    this.#video.currentTime = timeS;
  }

  /** Starts or continues after data whose video ends at `videoEndS` was appended. */
  advance(videoEndS = 0) {
    if (this.isEmpty) return;
    if (this.#isStopped && !this.#canResume()) return;
    if (this.#isStopped) this.reset();
    this.#videoEndS = videoEndS;
    if (this.end < this.#startS) return;
    // The film may start later than 0 for a page that was opened after it began.
    const startS = Math.max(this.start, this.#startS);
    if (this.time < startS) this.#video.currentTime = startS;
    this.play(); // not awaited: it may need the next fragment to start
  }

  /**
   * Seeks to the start of the next clip, so that no old frame is played before it: after the last
   * video frame, which ends a little after the last audio. The seek also resets a limit in Chromium,
   * which after every underrun demands more buffered film before it starts, eventually more than a
   * short answer provides.
   */
  seekToNextClip() {
    if (this.isEmpty || this.#isStopped) return;
    this.#video.currentTime = this.end - this.time < SKIPPABLE_S ? this.#nextClipS : this.time;
  }

  /**
   * Restarts a film that stands still before its end: Chromium then waits for more film (see
   * `seekToNextClip`), and after the end of a clip none may come. Call it repeatedly.
   */
  checkStall() {
    const nowMs = performance.now();
    const { paused, seeking } = this.#video;
    const mayRest = paused || seeking || this.isEmpty || this.end - this.time < END_MARGIN_S;
    if (mayRest || this.time !== this.#lastMove.timeS) this.#lastMove = { timeS: this.time, atMs: nowMs };
    if (nowMs - this.#lastMove.atMs < STALL_TIMEOUT_MS) return;
    this.#lastMove.atMs = nowMs;
    this.#video.currentTime = this.time;
  }

  /** Fades out and pauses. The rest of the buffered film is not played. */
  stop() {
    this.#isStopped = true;
    this.#resumeAfterS = null;
    this.#fadeOut(performance.now(), this.#video.volume);
  }

  /** Pauses until `release`: somebody may have begun to speak. */
  hold() {
    this.#isHeld = true;
    this.#video.pause();
  }

  /** Plays on after `hold`. */
  release() {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.advance(this.#videoEndS);
  }

  /** Resumes a stopped film as soon as it continues past `timeS`. */
  resumeAfter(timeS) {
    if (!this.#isStopped) return;
    this.#resumeAfterS = timeS;
    this.#video.pause();
    this.#video.currentTime = Math.max(this.time, timeS);
    this.advance();
  }

  /** Call it from a user gesture; browsers refuse sound otherwise. */
  unmute() {
    this.#video.muted = false;
    this.#unmuteButton.hidden = true;
  }

  async play() {
    if (!this.#video.paused || this.#isStopped || this.#isHeld) return;
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name === "AbortError") return; // stopped, or replaced by another film
      if (error.name !== "NotAllowedError" || this.#video.muted) throw error;
      this.#video.muted = true;
      this.#unmuteButton.hidden = false;
      this.play();
    }
  }

  #observeFrames(onFrame) {
    this.#video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.#observeFrames(onFrame);
      onFrame(mediaTime);
    });
  }

  /** For browsers without requestVideoFrameCallback: assumes that the frame at `time` is displayed. */
  #estimateFrames(onFrame, previousS) {
    const isShown = this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !this.#video.seeking;
    const timeS = isShown ? this.time : previousS;
    if (timeS !== previousS) onFrame(timeS);
    requestAnimationFrame(() => this.#estimateFrames(onFrame, timeS));
  }

  get #nextClipS() {
    return Math.max(this.end, this.#videoEndS);
  }

  #canResume() {
    return this.#resumeAfterS !== null && this.end > this.#resumeAfterS + END_MARGIN_S / 4;
  }

  #fadeOut(startMs, volume) {
    if (!this.#isStopped) return;
    const remaining = 1 - (performance.now() - startMs) / FADE_OUT_MS;
    this.#video.volume = Math.max(0, volume * remaining);
    if (remaining > 0) setTimeout(() => this.#fadeOut(startMs, volume), FADE_OUT_MS / 8);
    else this.#video.pause();
  }
}
