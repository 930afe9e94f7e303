// The film by Media Source Extensions: fragments are appended, what lies far behind is dropped.

import { mediaType, picturesEnd, pictureTimescale } from "./boxes.js";

const KEEP_BEHIND_S = 10;
const DROP_AT_ONCE_S = 15;
/** What is to come is left with the server from here on; it keeps for hours there. */
const KEEP_AHEAD_S = 60;
const LOOK_MS = 1000;
const LONGEST_FILM_S = 1e6;

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

export class Film {
  #screen;
  #buffer = null;
  #address = null;
  /** Dropping takes whole fragments, so what is kept is longer than the longest of them. */
  #longestS = 0;
  #timescale = 1;

  constructor(screen) {
    this.#screen = screen;
  }

  static get isPossible() {
    return Source !== undefined;
  }

  /** Begin a film with its init segment, in place of the one before. */
  async begin(init) {
    const type = mediaType(init);
    if (!Source.isTypeSupported(type)) throw new Error(`This browser cannot play ${type}.`);
    const source = new Source();
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(source);
    this.#screen.clear();
    this.#screen.video.src = this.#address;
    await happens(source, "sourceopen");
    source.setLiveSeekableRange(0, LONGEST_FILM_S); // else nobody could wait behind what is here
    this.#buffer = source.addSourceBuffer(type);
    this.#timescale = pictureTimescale(init);
    await this.#add(init);
  }

  /** Add a fragment; resolves when it can be played, and there is room for the next. */
  async append(fragment) {
    const before = this.#screen.isEmpty ? null : this.#screen.end;
    await this.#add(fragment);
    if (this.#screen.isEmpty) return;
    if (before !== null) this.#longestS = Math.max(this.#longestS, this.#screen.end - before);
    this.#screen.advance(picturesEnd(fragment, this.#timescale));
    await this.#drop(KEEP_BEHIND_S, DROP_AT_ONCE_S);
    while (this.#isFarAhead()) await this.#moves();
  }

  async #add(segment) {
    while (!this.#tryAppend(segment)) await this.#makeRoom();
    await happens(this.#buffer, "updateend");
    const error = this.#screen.video.error;
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

  /** The browser's memory is full: give back what was played, or wait until more has been. */
  async #makeRoom() {
    if (!(await this.#drop(0, 0.5))) await this.#moves();
  }

  #isFarAhead() {
    return !this.#screen.isStopped && this.#screen.end - this.#screen.time > KEEP_AHEAD_S;
  }

  /** Waits until the player has moved on a little; one that stands still is started again. */
  async #moves() {
    await Promise.race([happens(this.#screen.video, "timeupdate"), later(LOOK_MS)]);
    this.#screen.play();
  }

  /** Drop what lies farther behind than `keepS`, if that is `leastS`; says whether it was. */
  async #drop(keepS, leastS) {
    if (this.#screen.isEmpty) return false;
    const { start, time } = this.#screen;
    const end = time - keepS - this.#longestS;
    if (end - start < leastS) return false;
    this.#buffer.remove(start, end);
    await happens(this.#buffer, "updateend");
    return true;
  }
}

function happens(target, event) {
  return new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
}

function later(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
