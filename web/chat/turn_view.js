// One turn of the chat: the bubble of the user, and the bubble of the answer.

import { createButton } from "../list_items.js";
import { AnswerView, hidden } from "./answer_view.js";
import { copyText } from "./clipboard.js";

const RUNNING = new Set(["queued", "llm", "tts", "render"]);
const INTERRUPTED = "Interrupted: what is struck out was not said.";
const NOTHING_SAID = "Stopped before anything was said.";
const MAX_NAMED_CHARS = 60;

export class TurnView {
  #asked = document.createElement("li");
  #question = document.createElement("p");
  #answer = new AnswerView();
  #actions;
  #turn = { status: "llm", reply_text: "" };

  /**
   * `turn` as the server reports it, at least with `user_text`; `actions` are `edit(view)`,
   * `again(view)` and `fail(error)`.
   */
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

  /** The turn as it is known: as the server reported it, with the text received since. */
  get turn() {
    return { ...this.#turn, reply_text: this.#answer.reply };
  }

  /** The server's identifier of the turn; null before its first answer. */
  get id() {
    return this.#turn.job_id ?? null;
  }

  get isRunning() {
    return RUNNING.has(this.#turn.status);
  }

  /** Shows a turn as the server reports it. */
  update(turn) {
    this.#turn = { ...this.#turn, ...turn };
    if (this.#question.textContent !== this.#turn.user_text) this.#question.textContent = this.#turn.user_text;
    this.#asked.hidden = this.#turn.user_text === ""; // a greeting answers nothing
    if (turn.reply_text !== undefined) this.#answer.setReply(turn.reply_text);
    this.#showState();
  }

  /** Adds a piece of the answer. */
  write(text) {
    if (this.#answer.reply === "") this.update({ status: "tts" });
    this.#answer.setReply(this.#answer.reply + text);
  }

  /** Shows an error: it says what to do, and the question can be asked again. */
  fail(error) {
    this.update({ status: "error", error: { description: error.message } });
  }

  remove() {
    this.#asked.remove();
    this.#answer.remove();
  }

  #showState() {
    const { status, heard_text: heard = "", interrupted } = this.#turn;
    this.#answer.setState(status, this.#note());
    const isPart = !this.isRunning && (interrupted || status !== "done");
    if (!this.isRunning) this.#answer.markUnsaidFrom(isPart ? heard.length : null);
    this.#answer.setActions(this.isRunning ? [] : [...this.#answerActions()]);
  }

  /** What is said below the answer; undefined for the usual note of its state. */
  #note() {
    const { status, error, interrupted, heard_text: heard, remarks = [] } = this.#turn;
    if (this.isRunning) return undefined;
    if (status === "error") return error?.description ?? "There is no answer.";
    if (interrupted || status === "cancelled") return heard ? INTERRUPTED : NOTHING_SAID;
    return remarks.join(" ");
  }

  *#answerActions() {
    const { status, user_text: asked, video_url: videoUrl } = this.#turn;
    if (this.#answer.reply !== "") yield ["Copy", () => this.#copy(this.#answer.reply), "Copy the answer"];
    const label = status === "error" ? "Try again" : "Ask again";
    if (asked !== "") yield [label, () => this.#actions.again(this), `${label}: ${asked.slice(0, MAX_NAMED_CHARS)}`];
    if (videoUrl) yield ["Video", `video/${encodeURIComponent(this.id)}`, "Download the film of this answer"];
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
