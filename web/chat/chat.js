// The chat: sends messages, shows the answers, and stops them.

import { askModel, call, followTurn, speakGreeting } from "../server.js";
import { SpokenSentences } from "./spoken_sentences.js";

const MARK_INTERVAL_MS = 100;
/** An answer is rendered a little ahead of playback: what is rendered can no longer be stopped. */
const RENDERING = { when_busy: "interrupt", lead_s: 2 };

export class Chat {
  #sessionId;
  #messages;
  #settings;
  #model;
  #stage;
  #playback;
  #timer;
  #interruption;
  #errors;
  #refresh;
  #sentences = new SpokenSentences();
  /** Views of the turns whose events this page is receiving. */
  #receiving = new Set();
  /** State of the session at the last `sync`; null when it must be repeated. */
  #synced = null;

  constructor(sessionId, { messages, settings, model, stage, playback, timer, interruption, errors, refresh }) {
    this.#sessionId = sessionId;
    this.#messages = messages;
    this.#settings = settings;
    this.#model = model;
    this.#stage = stage;
    this.#playback = playback;
    this.#timer = timer;
    this.#interruption = interruption;
    this.#errors = errors;
    this.#refresh = refresh;
    setInterval(() => this.#markSpoken(), MARK_INTERVAL_MS);
  }

  /** True while there is something to stop. */
  get canStop() {
    return !this.#interruption.isRunning && this.#isBusy;
  }

  /** True while the face is heard. */
  get isSpeaking() {
    return this.#stage.isSpeaking && !this.#playback.isStopped;
  }

  /** The last sentences that the face has begun to say. */
  get saidText() {
    return this.#sentences.textBefore(this.#playback.time);
  }

  /**
   * Sends a message; whatever is being answered is interrupted. `replaced` is the view of a turn
   * that this one replaces, with all that follow it. Returns false, and sends nothing, for a blank
   * text and while there is no model.
   */
  send(text, replaced = null) {
    if (text.trim() === "" || !this.#model.isPresent()) return false;
    if (this.#isBusy) this.interrupt();
    if (replaced) this.#messages.removeFrom(replaced);
    this.#begin({ user_text: text, kind: "chat" }, (fields) =>
      askModel({ ...fields, user_text: text, replaces: replaced?.id ?? null }),
    );
    return true;
  }

  /** Asks a question again, in place of its turn. */
  again(view) {
    this.send(view.turn.user_text, view);
  }

  /** Stops the answer: its sound at once, then its writing. Resolves when the server has answered. */
  async interrupt() {
    const timeS = this.#playback.time;
    for (const view of this.#messages.views) {
      const from = this.#sentences.unsaidAfter(view, timeS);
      if (from !== null) view.answer.markUnsaidFrom(from);
    }
    this.#timer.cancel();
    await this.#interruption.start();
    this.#synced = null;
    await this.#refresh();
  }

  /** Shows the history of the session, unless nothing has changed since the last call. */
  async sync(session) {
    const state = JSON.stringify([session.film, session.state, session.duration_s]);
    if (state === this.#synced || this.#isBeginning) return;
    const { persona, turns } = await call(`chat/history?${new URLSearchParams({ session_id: this.#sessionId })}`);
    if (this.#isBeginning) return;
    this.#synced = state;
    this.#settings.showPersona(persona);
    this.#messages.restore(turns, this.#receiving).forEach((view, index) => this.#restore(view, turns[index]));
    this.greet();
  }

  /** Shows the greeting of the persona while the chat is empty. */
  greet() {
    const say = () => this.#begin({ user_text: "", kind: "greeting" }, speakGreeting);
    this.#messages.greet(this.#settings.greeting, say);
  }

  /** The session has been reset: its history and its film are gone. */
  clear() {
    this.leaveFilm();
    this.#messages.clear();
    this.greet();
  }

  /** The film was replaced by another one, whose times have nothing to do with the old ones. */
  leaveFilm() {
    this.#sentences.clear();
    this.#synced = null;
  }

  get #isBusy() {
    return this.isSpeaking || this.#messages.views.some(({ isRunning }) => isRunning);
  }

  /** True while a turn of this page has no identifier yet, so that it would be taken for another one. */
  get #isBeginning() {
    return [...this.#receiving].some(({ id }) => id === null);
  }

  /** Adds a turn and receives its answer; `request(fields)` starts the request. */
  #begin(turn, request) {
    this.#errors.clear();
    this.#playback.unmute(); // browsers allow sound after a key press or click
    if (!this.isSpeaking) this.#timer.start();
    this.#messages.greet("");
    const view = this.#messages.add({ ...turn, created_at: new Date().toISOString() });
    const start = async () => {
      await this.#interruption.settled;
      const session = { session_id: this.#sessionId, ...RENDERING, position_s: this.#playback.positionS };
      return request({ ...this.#settings.fields, ...session });
    };
    this.#receive(view, start, (error) => this.#fail(view, error));
  }

  #fail(view, error) {
    this.#timer.cancel();
    view.fail(error);
    this.#model.refresh();
  }

  /** Follows a turn that was begun elsewhere, or before the page was loaded. */
  #restore(view, turn) {
    if (this.#receiving.has(view)) return;
    turn.sentences.forEach((sentence, index) => this.#sentences.add(view, { ...sentence, index }));
    if (view.isRunning) this.#receive(view, () => followTurn(view.id), () => {}); // the next `sync` tries again
  }

  async #receive(view, start, onError) {
    this.#receiving.add(view);
    try {
      for await (const { event, data } of await start()) this.#onEvent(view, event, data);
    } catch (error) {
      onError(error);
    }
    this.#receiving.delete(view);
    this.#synced = null;
    await this.#refresh();
  }

  #onEvent(view, event, data) {
    if (event === "turn") view.update({ ...data.turn, reply_text: "" }); // its tokens follow
    if (event === "token") view.write(data.text);
    if (event === "sentence") this.#sentences.add(view, data);
    if (event === "done") view.update(data.turn);
    this.#messages.scroll(view.answer.spokenBox);
    if (event === "turn" && this.#synced === null) this.#refresh();
  }

  #markSpoken() {
    const sentence = this.isSpeaking ? this.#sentences.at(this.#playback.time) : null;
    for (const view of this.#messages.views) view.answer.markSpoken(sentence?.view === view ? sentence : null);
    if (sentence) this.#messages.scroll(sentence.view.answer.spokenBox);
  }
}
