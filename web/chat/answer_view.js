// The bubble of an answer: its text as it arrives, the marks in it, its state, and its buttons.

import { createButton } from "../list_items.js";
import { Mark } from "./marks.js";
import { RenderedMarkdown } from "./rendered_markdown.js";

/** Rendering takes at most about a fifth of the time, however long the text is. */
const REST_FACTOR = 4;
const WAITING = {
  queued: "waiting for its turn…",
  llm: "thinking…",
  tts: "",
  render: "",
};

export class AnswerView {
  #item = document.createElement("li");
  #body = document.createElement("div");
  #note = document.createElement("small");
  #actions = document.createElement("div");
  #rendered = new RenderedMarkdown(this.#body);
  #spoken = new Mark("spoken");
  #unsaid = new Mark("unsaid");
  #spokenRange = null;
  #unsaidFrom = null;
  #reply = "";
  #shown = "";
  #timer = null;
  #actionNames = "[]";

  constructor() {
    this.#item.className = "answer";
    this.#body.className = "body";
    this.#actions.className = "turn-actions";
    this.#item.append(hidden("The face: "), this.#body, this.#note, this.#actions);
    this.setState("llm");
  }

  get element() {
    return this.#item;
  }

  get reply() {
    return this.#reply;
  }

  /** Position on the screen of the sentence being heard; null if there is none. */
  get spokenBox() {
    return this.#spoken.box;
  }

  /** Sets the text, as far as it is known, and renders it soon. */
  setReply(reply) {
    if (reply === this.#reply) return;
    this.#reply = reply;
    this.#timer ??= setTimeout(() => requestAnimationFrame(() => this.#render()), 0);
  }

  /** `message` replaces the usual note of the state, such as the reason of an error. */
  setState(state, message = WAITING[state] ?? "") {
    const isRunning = state in WAITING;
    this.#item.ariaBusy = String(isRunning); // screen readers wait until the answer is complete
    this.#item.classList.toggle("running", isRunning);
    this.#item.classList.toggle("failed", state === "error");
    if (this.#note.textContent !== message) this.#note.textContent = message;
  }

  /** Marks the characters `start` to `end` as being heard; null removes the mark. */
  markSpoken(range) {
    if (range?.start === this.#spokenRange?.start && range?.end === this.#spokenRange?.end) return;
    this.#spokenRange = range;
    this.#mark();
  }

  /** Marks all that follows `position` as not said; null removes the mark. */
  markUnsaidFrom(position) {
    if (position === this.#unsaidFrom) return;
    this.#unsaidFrom = position;
    this.#mark();
  }

  /** Buttons and links, as `[label, action or address, name]`; those that stay keep the focus. */
  setActions(actions) {
    const names = JSON.stringify(actions);
    if (names === this.#actionNames) return;
    this.#actionNames = names;
    this.#actions.replaceChildren(...actions.map(createAction));
  }

  remove() {
    clearTimeout(this.#timer);
    this.#spoken.set(null);
    this.#unsaid.set(null);
    this.#item.remove();
  }

  #render() {
    const startMs = performance.now();
    this.#shown = this.#reply;
    this.#rendered.update(this.#shown);
    this.#mark();
    const restMs = REST_FACTOR * (performance.now() - startMs);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#shown !== this.#reply) this.#render();
    }, restMs);
  }

  #mark() {
    const { start = 0, end = 0 } = this.#spokenRange ?? {};
    this.#spoken.set(end > start ? this.#rendered.rangeOf(start, end) : null);
    const from = this.#unsaidFrom;
    this.#unsaid.set(from === null ? null : this.#rendered.rangeOf(from, this.#shown.length));
  }
}

function createAction([label, action, name]) {
  if (typeof action !== "string") {
    const button = createButton(label, action);
    button.ariaLabel = name;
    return button;
  }
  const link = document.createElement("a");
  link.textContent = label;
  link.href = action;
  link.download = "";
  link.ariaLabel = name;
  return link;
}

/** A text for screen readers only. */
export function hidden(text) {
  const element = document.createElement("span");
  element.className = "visually-hidden";
  element.textContent = text;
  return element;
}
