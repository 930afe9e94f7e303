// The film in its <video>: appended to by Media Source Extensions, old parts dropped.

import { mediaType } from "./boxes.js";

const KEEP_BEHIND_S = 10;
const TRIM_AT_S = 30;
/** Players stop this close to the end: the sound ends a little before the pictures. */
const END_MARGIN_S = 0.2;

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

export class Film {
  #video;
  #buffer = null;
  #address = null;

  /** `onMuted` is called when the browser lets the film play only without sound. */
  constructor(video, onMuted) {
    this.#video = video;
    this.onMuted = onMuted;
    video.disableRemotePlayback = true; // what ManagedMediaSource asks for
  }

  static get isPossible() {
    return Source !== undefined;
  }

  /** Whether the player stands still because nothing is left to show. */
  get isStarved() {
    const hasNext = this.#video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    return this.isEmpty || (!hasNext && this.end - this.#video.currentTime < END_MARGIN_S);
  }

  get isEmpty() {
    return this.#video.buffered.length === 0;
  }

  /** End of what is here, in seconds of the film. */
  get end() {
    return this.#video.buffered.end(this.#video.buffered.length - 1);
  }

  /** Begin a film with its init segment, in place of the one before. */
  async begin(init) {
    const type = mediaType(init);
    if (!Source.isTypeSupported(type)) throw new Error(`This browser cannot play ${type}.`);
    const source = new Source();
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(source);
    this.#video.src = this.#address;
    await happens(source, "sourceopen");
    this.#buffer = source.addSourceBuffer(type);
    await this.append(init);
  }

  /** Add a segment; resolves when it can be played. Full memory waits for the player. */
  async append(segment) {
    while (!this.#tryAppend(segment)) await this.#makeRoom();
    await happens(this.#buffer, "updateend");
    if (this.#video.error) throw new Error(`The film cannot be played: ${this.#video.error.message}`);
    if (this.isEmpty) return;
    this.#joinIfOutside();
    await this.#trim(TRIM_AT_S, KEEP_BEHIND_S);
    this.#play(); // not awaited: it may need the next segment to begin
  }

  #tryAppend(segment) {
    try {
      this.#buffer.appendBuffer(segment);
      return true;
    } catch (error) {
      if (error.name === "QuotaExceededError") return false;
      throw error;
    }
  }

  async #makeRoom() {
    if (!(await this.#trim(1, 0.5))) await happens(this.#video, "timeupdate");
  }

  /** Drop what lies far behind; says whether there was anything. */
  async #trim(fromS, keepS) {
    const start = this.#video.buffered.start(0);
    const now = this.#video.currentTime;
    if (now - start < fromS) return false;
    this.#buffer.remove(start, now - keepS);
    await happens(this.#buffer, "updateend");
    return true;
  }

  /** Someone who comes late begins with the first fragment that came for him. */
  #joinIfOutside() {
    const start = this.#video.buffered.start(0);
    if (this.#video.currentTime < start) this.#video.currentTime = start;
  }

  async #play() {
    if (!this.#video.paused) return;
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name === "AbortError") return; // another film took its place
      if (error.name !== "NotAllowedError" || this.#video.muted) throw error;
      this.#video.muted = true;
      this.onMuted();
      this.#play();
    }
  }
}

function happens(target, event) {
  return new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
}
