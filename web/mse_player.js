// Plays a film with Media Source Extensions: appends fragments, removes what was played.

import { mediaType, videoEnd, videoTimescale } from "./boxes.js";

/** The film kept behind the playback position, and the least that one removal takes. */
const KEEP_BEHIND_S = 10;
const MIN_REMOVAL_S = 15;
const MIN_REMOVAL_WHEN_FULL_S = 0.5;
/** The film buffered ahead; the rest stays on the server. */
const KEEP_AHEAD_S = 60;
const CHECK_INTERVAL_MS = 1000;
const MAX_FILM_S = 1e6;

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

export class MsePlayer {
  #playback;
  #buffer = null;
  #url = null;
  /** Length of the longest fragment. Removal takes whole fragments, so more than this is kept. */
  #longestS = 0;
  #timescale = 1;

  constructor(playback) {
    this.#playback = playback;
  }

  static get isSupported() {
    return Source !== undefined;
  }

  /** Replaces the current film by one that starts with the init segment `init`. */
  async begin(init) {
    const type = mediaType(init);
    if (!Source.isTypeSupported(type)) throw new Error(`This browser cannot play ${type}.`);
    const source = new Source();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = URL.createObjectURL(source);
    this.#playback.reset();
    this.#playback.video.src = this.#url;
    await nextEvent(source, "sourceopen");
    source.setLiveSeekableRange(0, MAX_FILM_S); // allows seeking past the end of the buffer
    this.#buffer = source.addSourceBuffer(type);
    this.#timescale = videoTimescale(init);
    await this.#append(init);
  }

  /** Appends a fragment; resolves when it can be played and there is room for the next one. */
  async append(fragment) {
    const before = this.#playback.isEmpty ? null : this.#playback.end;
    await this.#append(fragment);
    if (this.#playback.isEmpty) return;
    if (before !== null) this.#longestS = Math.max(this.#longestS, this.#playback.end - before);
    this.#playback.advance(videoEnd(fragment, this.#timescale));
    await this.#removePlayed(KEEP_BEHIND_S, MIN_REMOVAL_S);
    while (this.#isFarAhead()) await this.#progress();
  }

  async #append(segment) {
    while (!this.#tryAppend(segment)) await this.#makeRoom();
    await nextEvent(this.#buffer, "updateend");
    const error = this.#playback.video.error;
    if (error) throw new Error(`The film cannot be played: ${error.message}`);
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

  /** The buffer is full: removes what was played, or waits until more has been. */
  async #makeRoom() {
    if (!(await this.#removePlayed(0, MIN_REMOVAL_WHEN_FULL_S))) await this.#progress();
  }

  #isFarAhead() {
    return !this.#playback.isStopped && this.#playback.end - this.#playback.time > KEEP_AHEAD_S;
  }

  /** Waits for playback to progress; restarts it if it has paused. */
  async #progress() {
    await Promise.race([nextEvent(this.#playback.video, "timeupdate"), delay(CHECK_INTERVAL_MS)]);
    this.#playback.play();
  }

  /** Removes all but `keepS` of what was played if that is at least `minS`; returns whether it did. */
  async #removePlayed(keepS, minS) {
    if (this.#playback.isEmpty) return false;
    const { start, time } = this.#playback;
    const end = time - keepS - this.#longestS;
    if (end - start < minS) return false;
    this.#buffer.remove(start, end);
    await nextEvent(this.#buffer, "updateend");
    return true;
  }
}

function nextEvent(target, event) {
  return new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
}

function delay(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
