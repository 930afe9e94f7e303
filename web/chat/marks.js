// Marks in the texts of the chat: the sentence that is being heard, and what was not said.
//
// The marks are highlights of the browser (CSS Custom Highlight API), which change no element: a
// selection stays, and screen readers read nothing again. A browser without them marks blocks.

const NAMES = ["spoken", "unsaid"];
const highlights = new Map();

if (globalThis.CSS?.highlights) {
  for (const name of NAMES) {
    highlights.set(name, new Highlight());
    CSS.highlights.set(name, highlights.get(name));
  }
}

/** One mark in one text. */
export class Mark {
  #name;
  #range = null;
  #block = null;

  /** `name` is `"spoken"` or `"unsaid"`. */
  constructor(name) {
    this.#name = name;
  }

  /** Moves the mark to a DOM Range; null removes it. */
  set(range) {
    const highlight = highlights.get(this.#name);
    if (this.#range) highlight?.delete(this.#range);
    this.#block?.classList.remove(this.#name);
    [this.#range, this.#block] = [range, null];
    if (range === null) return;
    if (highlight) highlight.add(range);
    else this.#markBlock(range.startContainer.parentElement);
  }

  /** Position of the mark on the screen; null if there is none. */
  get box() {
    return this.#range?.getBoundingClientRect() ?? null;
  }

  #markBlock(element) {
    this.#block = element;
    element.classList.add(this.#name);
  }
}
