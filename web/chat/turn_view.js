// One turn of the chat: the bubble of the user, and the bubble of the answer.

import { createButton } from "../list_items.js";
import { AnswerView, hidden } from "./answer_view.js";
import { copyText } from "./clipboard.js";

const RUNNING = new Set(["queued", "llm", "tts", "render"]);
const INTERRUPTED = "Interrupted. What is struck out was not said.";
const CUT_SHORT = "The answer was ended at the longest length.";

export class TurnView {
  #asked = document.createElement("li");
  #question = document.createElement("p");
  #answer = new AnswerView();
  #actions;
  #turn;

  /** `turn` as the server reports it, at least with `user_text`; `actions`: `edit(view)`, `again(view)`, `fail(error)`. */
  constructor(turn, actions) {
    this.#actions = actions;
    this.#asked.className = "asked";
    this.#asked.append(hidden("You: "), this.#question, this.#createAskedActions());
    this.update(turn);
  }

  get elements() {
    return [this.#asked, this.#answer.element];
  }

  get answer() {
    return this.#answer;
  }

  /** The turn as it is known: what the server reports, with the text received so far. */
  get turn() {
    return { ...this.#turn, reply_text: this.#answer.reply };
  }

  get id() {
    return this.#turn.id ?? null;
  }

  get isRunning() {
    return RUNNING.has(this.#turn.state);
  }

  /** Shows a turn as the server reports it. */
  update(turn) {
    this.#turn = { state: "llm", reply_text: "", ...this.#turn, ...turn };
    if (this.#question.textContent !== this.#turn.user_text) this.#question.textContent = this.#turn.user_text;
    if (turn.reply_text !== undefined) this.#answer.setReply(turn.reply_text);
    this.#showState();
  }

  write(text) {
    this.#answer.setReply(this.#answer.reply + text);
    if (this.#turn.state === "llm") this.#answer.setState("llm", "");
  }

  /** Shows an error: it says what to do, and can be tried again. */
  fail(error) {
    this.update({ state: "error", error: error.message });
  }

  remove() {
    this.#asked.remove();
    this.#answer.remove();
  }

  #showState() {
    const { state, error, interrupted, heard_text: heard, ending } = this.#turn;
    const isCut = interrupted && !this.isRunning;
    if (state === "error") this.#answer.setState(state, typeof error === "string" ? error : (error?.detail ?? "No answer."));
    else if (isCut) this.#answer.setState(state, INTERRUPTED);
    else if (state === "cancelled") this.#answer.setState(state, "Cancelled.");
    else this.#answer.setState(state, ending === "length" ? CUT_SHORT : undefined);
    if (isCut || state === "error" || state === "cancelled") this.#answer.markHeard(heard ?? "");
    else this.#answer.markUnsaidFrom(null);
    if (!this.isRunning) this.#answer.setActions([...this.#answerActions(state)]);
  }

  *#answerActions(state) {
    if (this.#answer.reply !== "") yield ["Copy", () => this.#copy(this.#answer.reply), "Copy the answer"];
    const label = state === "error" ? "Try again" : "Ask again";
    yield [label, () => this.#actions.again(this), `${label}: ${this.#turn.user_text.slice(0, 60)}`];
    if (this.#turn.has_video) yield ["Video", `video/${encodeURIComponent(this.id)}`, "Download the film of this answer"];
  }

  #createAskedActions() {
    const buttons = document.createElement("div");
    buttons.className = "turn-actions";
    const edit = createButton("Edit", () => this.#actions.edit(this));
    const copy = createButton("Copy", () => this.#copy(this.#turn.user_text));
    edit.ariaLabel = "Edit this message and ask again";
    copy.ariaLabel = "Copy this message";
    buttons.append(edit, copy);
    return buttons;
  }

  #copy(text) {
    copyText(text).catch(this.#actions.fail);
  }
}
