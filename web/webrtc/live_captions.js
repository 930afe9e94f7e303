// The captions of a live stream: its sentences, and when they are heard.

/** Sentences that are kept: the current one, and those that are not shown yet. */
const MAX_SENTENCES = 32;

export class LiveCaptions {
  /** `{text, first, end}`, in frames of the film. */
  #sentences = [];

  /** Adds a sentence, or changes the end of one. */
  add({ text, first_frame: first, frames }) {
    const sentence = { text, first, end: first + frames };
    const known = this.#sentences.find((one) => one.first === first);
    if (known) Object.assign(known, sentence);
    else this.#sentences.push(sentence);
    if (this.#sentences.length > MAX_SENTENCES) this.#sentences.shift();
  }

  /** The sentence that is heard in a frame of the film, which may be null; empty if there is none. */
  at(frame) {
    if (frame === null) return "";
    return this.#sentences.findLast(({ first, end }) => first <= frame && frame < end)?.text ?? "";
  }

  clear() {
    this.#sentences = [];
  }
}
