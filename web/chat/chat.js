// The chat: sends what the user writes or says, shows the answers, and stops them.

import { askModel, call } from "../server.js";
import { SpokenSentences } from "./spoken_sentences.js";

const MARK_INTERVAL_MS = 100;
const NOTHING_HEARD = "Nothing was heard. Speak a little louder or nearer to the microphone, and try again.";

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
  /** Views of the turns whose answers this page is receiving. */
  #receiving = new Set();
  #lastSync = null;

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
  get isBusy() {
    return this.isSpeaking || this.#messages.views.some(({ isRunning }) => isRunning);
  }

  /** True while the face is heard. */
  get isSpeaking() {
    return this.#stage.isSpeaking && !this.#playback.isStopped;
  }

  /**
   * Sends a message; whatever is being answered is interrupted. `replaced` is the view of a turn
   * that this one replaces, with all that follow it. Returns false, and sends nothing, for a blank
   * text and while there is no model.
   */
  send(text, replaced = null) {
    if (text.trim() === "" || !this.#model.isPresent()) return false;
    this.#errors.clear();
    this.#playback.unmute(); // browsers allow sound after a key press or click
    if (this.isBusy) this.interrupt();
    if (replaced) this.#messages.removeFrom(replaced);
    this.#messages.greet("");
    const view = this.#messages.add({ user_text: text, created_s: Date.now() / 1000 });
    this.#ask(view, { user_text: text, replaces: replaced?.id ?? null });
    return true;
  }

  /** Sends a text that was recognised; says so if nothing was. */
  heard(text) {
    if (text.trim() === "") this.#errors.show(new Error(NOTHING_HEARD));
    else this.send(text);
  }

  /** Asks a question again, in place of its turn. */
  again(view) {
    this.send(view.turn.user_text, view);
  }

  /** Stops the answer: its sound at once, then its writing. Resolves when the server has answered. */
  async interrupt() {
    const timeS = this.#playback.isEmpty ? 0 : this.#playback.time;
    for (const view of this.#messages.views.filter(({ isRunning }) => isRunning)) {
      view.answer.markUnsaidFrom(this.#sentences.unsaidAfter(view, timeS));
    }
    this.#timer.cancel();
    await this.#interruption.start();
    await this.#refresh();
  }

  /** Shows the history of the session, if something may have changed in it since the last call. */
  async sync(session) {
    const state = JSON.stringify([session.film, session.state, session.duration_s]);
    const isForeignTurnRunning = this.#receiving.size === 0 && this.#messages.views.some(({ isRunning }) => isRunning);
    if (this.#receiving.size > 0 || (state === this.#lastSync && !isForeignTurnRunning)) return;
    const query = new URLSearchParams({ session_id: this.#sessionId });
    const { turns } = await call(`chat/history?${query}`);
    if (this.#receiving.size > 0) return;
    this.#lastSync = state;
    this.#messages.restore(turns);
    this.#greet();
  }

  /** The session has been reset: its history and its film are gone. */
  clear() {
    this.#sentences.clear();
    this.#messages.clear();
    this.#greet();
  }

  /** The film was replaced by another one, whose times have nothing to do with the old ones. */
  leaveFilm() {
    this.#sentences.clear();
    this.#lastSync = null;
  }

  #greet() {
    this.#messages.greet(this.#settings.greeting);
  }

  async #ask(view, fields) {
    this.#receiving.add(view);
    if (!this.isSpeaking) this.#timer.start();
    try {
      await this.#interruption.settled;
      const request = { ...this.#settings.fields, ...fields, session_id: this.#sessionId, when_busy: "interrupt" };
      for await (const { event, data } of askModel(request)) this.#onEvent(view, event, data);
    } catch (error) {
      this.#timer.cancel();
      view.fail(error);
      this.#model.refresh();
    }
    this.#receiving.delete(view);
    this.#lastSync = null;
    await this.#refresh();
  }

  #onEvent(view, event, data) {
    if (event === "token") view.write(data.text);
    if (event === "sentence") this.#sentences.add(view, data);
    if (event === "done") view.update(data.turn ?? data);
    this.#messages.scroll(view.answer.spokenBox);
  }

  #markSpoken() {
    const sentence = this.isSpeaking ? this.#sentences.at(this.#playback.time) : null;
    for (const view of this.#messages.views) view.answer.markSpoken(sentence?.view === view ? sentence : null);
    if (sentence) this.#messages.scroll(sentence.view.answer.spokenBox);
  }
}
