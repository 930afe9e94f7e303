// Playback of a live stream in its <video> element: its sound, and its position in the film.

import { LiveClock } from "./live_clock.js";

/** Duration of the fade-out of a speech that is stopped, which avoids a click. */
const FADE_OUT_MS = 60;
const CHECK_INTERVAL_MS = 40;
/** The rest of a speech that the server has stopped is on its way for at most this long. */
const MAX_REST_MS = 1000;
/** Its sound may arrive later than its pictures by this much. */
const SOUND_LAG_MS = 300;

export class LivePlayback {
  #video;
  #unmuteButton;
  #onPicture;
  #clock = new LiveClock();
  #isPlaying = false;
  #isShown = false;
  #isStopped = false;
  /** The time at which the server confirmed the stop; null before that. */
  #answeredMs = null;
  /** The time since which nobody has spoken in the picture. */
  #quietMs = 0;
  #isHeld = false;
  /** True if the browser allows no sound before the user has clicked. */
  #needsGesture = false;
  /** The sound's way through a graph of audio nodes: `{gain, source}`; null if the element plays it. */
  #route = null;
  /** The position that was shown last, seconds of the film; null if nothing of it was seen. */
  #positionS = null;
  #onShown = () => {};

  /**
   * Shows `unmuteButton` when the browser allows playback only without sound. Calls
   * `onPicture(timeS)` for each picture, with its time in the film, or null while nobody speaks.
   */
  constructor(video, unmuteButton, onPicture) {
    this.#video = video;
    this.#unmuteButton = unmuteButton;
    this.#onPicture = onPicture;
    this.#observePictures();
    setInterval(() => this.#update(), CHECK_INTERVAL_MS);
  }

  get video() {
    return this.#video;
  }

  /** True while somebody speaks in the picture that is shown. */
  get isSpeaking() {
    return this.#isShown && this.#clock.timeAt() !== null;
  }

  /** The position in the film that is shown, or was shown last, seconds. */
  get time() {
    return this.positionS ?? 0;
  }

  /** As `time`; null if nothing of the film was seen. */
  get positionS() {
    return (this.#isShown ? this.#clock.timeAt() : null) ?? this.#positionS;
  }

  /** The position in the film that the stream has now, shown or not; null while nobody speaks. */
  get streamedS() {
    return this.#clock.timeAt();
  }

  /** True if the server has sent a position of the stream. */
  get hasPosition() {
    return this.#clock.hasPosition;
  }

  /** True from `stop` on, until the speech that is stopped is over. */
  get isStopped() {
    return this.#isStopped;
  }

  /** Plays a stream, whose tracks are known; nothing is heard of it until it is shown. */
  begin(stream, fps) {
    this.#clock = new LiveClock();
    this.#clock.setRate(fps);
    this.#isPlaying = true;
    this.#video.srcObject = stream;
    this.#connectRoute();
    this.#applySound();
    this.#play();
  }

  /** Ends a stream that is lost or no longer needed. */
  end() {
    this.#isPlaying = false;
    this.#video.srcObject = null;
    this.#clock = new LiveClock();
    this.#resume();
  }

  /** Handles the stream being shown or hidden. */
  setShown(isShown) {
    this.#isShown = isShown;
    this.#applySound();
  }

  /** Sets the position up to which the film was seen, seconds; no effect while somebody speaks. */
  setEnd(endS) {
    if (this.#clock.timeAt() === null) this.#positionS = endS;
  }

  /** Another film has begun. */
  leaveFilm() {
    this.#positionS = null;
    this.#resume();
  }

  addPosition(position) {
    this.#clock.addPosition(position);
  }

  /**
   * Calls `onShown(receivedMs, shownMs)` for each picture of the stream from now on; the first time is
   * undefined where the browser does not report it.
   */
  observe(onShown) {
    this.#onShown = onShown;
  }

  setDelay(delayMs) {
    this.#clock.delayMs = delayMs;
  }

  /** Fades out. The speech is not heard any more; the server ends it. */
  stop() {
    this.#isStopped = true;
    this.#answeredMs = null;
    this.#fadeOut(performance.now());
  }

  /** The server has stopped the speech: what is said next is heard again. */
  resumeAfter() {
    this.#answeredMs = performance.now();
    this.#update();
  }

  /** The server has stopped the speech for another client: the rest, which is on its way, is not heard any more. */
  dropRest() {
    if (!this.#isShown || this.#isStopped) return;
    this.stop();
    this.resumeAfter();
  }

  /** Plays nothing of the speech until `release`: somebody may have begun to speak. */
  hold() {
    this.#isHeld = true;
    this.#applySound();
  }

  release() {
    this.#isHeld = false;
    this.#applySound();
  }

  /** Call it from a user gesture; browsers refuse sound otherwise. */
  unmute() {
    this.#needsGesture = false;
    this.#applySound();
  }

  /** Plays the sound through an audio node from now on, in place of the element. */
  routeTo(node) {
    const gain = node.context.createGain();
    gain.connect(node);
    this.#route = { gain, source: null };
    this.#connectRoute();
    this.#applySound();
  }

  #observePictures() {
    this.#video.requestVideoFrameCallback?.((nowMs, { rtpTimestamp, receiveTime, expectedDisplayTime }) => {
      this.#observePictures();
      const shownMs = expectedDisplayTime ?? nowMs;
      this.#clock.show(rtpTimestamp, shownMs);
      this.#onShown(receiveTime, shownMs);
      this.#update();
    });
  }

  #update() {
    if (!this.#isPlaying) return;
    const timeS = this.#clock.timeAt();
    if (timeS !== null) this.#quietMs = performance.now();
    if (timeS !== null && this.#isShown) this.#positionS = timeS;
    if (this.#isStopped && this.#isRestOver(timeS)) this.#resume();
    this.#onPicture(timeS);
  }

  /** True if the speech that was stopped is not heard any more: nothing is said, or something new. */
  #isRestOver(timeS) {
    if (this.#answeredMs === null) return false;
    const sinceMs = performance.now() - this.#answeredMs;
    if (sinceMs > MAX_REST_MS) return true;
    if (timeS !== null) return this.#clock.receivedAt() > this.#answeredMs;
    const quietMs = performance.now() - this.#quietMs;
    return Math.min(sinceMs, quietMs) > SOUND_LAG_MS && !this.#clock.hasPending();
  }

  #resume() {
    this.#isStopped = false;
    this.#answeredMs = null;
    this.#applySound();
  }

  async #play() {
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name === "AbortError") return; // replaced by another stream
      if (error.name !== "NotAllowedError" || this.#video.muted) throw error;
      this.#needsGesture = true;
      this.#applySound();
      this.#play();
    }
  }

  #connectRoute() {
    const stream = this.#video.srcObject;
    if (this.#route === null || stream === null) return;
    const { gain, source } = this.#route;
    source?.disconnect();
    this.#route.source = gain.context.createMediaStreamSource(stream);
    this.#route.source.connect(gain);
  }

  /** Silence by the volume would let the browser play a stream whose sound it does not allow yet. */
  #applySound() {
    for (const track of this.#video.srcObject?.getAudioTracks() ?? []) track.enabled = this.#isShown;
    this.#setLoudness(this.#isStopped || this.#isHeld ? 0 : 1);
    this.#video.muted = this.#needsGesture || this.#route !== null;
    if (this.#isShown) this.#unmuteButton.hidden = !this.#needsGesture;
  }

  #setLoudness(loudness) {
    this.#video.volume = loudness;
    if (this.#route !== null) this.#route.gain.gain.value = loudness;
  }

  #fadeOut(startMs) {
    if (!this.#isStopped) return;
    const remaining = document.hidden ? 0 : 1 - (performance.now() - startMs) / FADE_OUT_MS;
    this.#setLoudness(this.#isHeld ? 0 : Math.max(0, remaining));
    if (remaining > 0) setTimeout(() => this.#fadeOut(startMs), FADE_OUT_MS / 8);
  }
}
