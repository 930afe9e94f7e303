// The captions of a live stream: its sentences, and when they are heard.

/** Sentences that are kept: those that have not been heard yet, and the current one. */
const MAX_SENTENCES = 32;

export class LiveCaptions {
  #sentences = [];

  /** Adds a sentence, or changes the end of one. */
  add({ text, start_s: startS, end_s: endS }) {
    const known = this.#sentences.find((sentence) => sentence.startS === startS);
    if (known) Object.assign(known, { text, endS });
    else this.#sentences.push({ text, startS, endS });
    if (this.#sentences.length > MAX_SENTENCES) this.#sentences.shift();
  }

  /** The sentence that is heard at a time of the film; empty if there is none. */
  at(timeS) {
    if (timeS === null) return "";
    return this.#sentences.findLast(({ startS, endS }) => startS <= timeS && timeS < endS)?.text ?? "";
  }

  clear() {
    this.#sentences = [];
  }
}
