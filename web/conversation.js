// The user's part of the conversation: speak a text, stop the speech, start over.

import { post, speak, speakRecording } from "./server.js";

/** How far a clip is rendered ahead of playback; what is rendered can no longer be stopped. */
const LEAD_S = 2;

export class Conversation {
  #sessionId;
  #composer;
  #transcript;
  #stage;
  #playback;
  #timer;
  #errors;
  #refresh;
  /** Transcript entries of the requests in progress. */
  #pending = new Set();
  #interruption;

  constructor(sessionId, { composer, transcript, stage, playback, timer, interruption, errors, refresh }) {
    this.#sessionId = sessionId;
    this.#composer = composer;
    this.#transcript = transcript;
    this.#stage = stage;
    this.#playback = playback;
    this.#timer = timer;
    this.#interruption = interruption;
    this.#errors = errors;
    this.#refresh = refresh;
  }

  get canStop() {
    return (this.#stage.isSpeaking || this.#pending.size > 0) && !this.#playback.isStopped;
  }

  /** Speaks the text in the composer. A refused text is put back, so that it is not lost. */
  async speak() {
    const text = this.#composer.take();
    if (text === null) return;
    const request = () => speak({ ...this.#fields, ...this.#composer.voiceSettings, text });
    await this.#say(this.#addEntry(text), request, () => this.#composer.restore(text));
  }

  /** Speaks a recording, a Blob. */
  async speakRecording(recording, name) {
    const entry = this.#transcript.add("", () => {}, name);
    await this.#say(entry, () => speakRecording(recording, name, this.#fields), () => false);
  }

  get #fields() {
    return { session_id: this.#sessionId, lead_s: LEAD_S };
  }

  /** `request` starts the request; `restore` puts a refused text back and returns whether it did. */
  async #say(entry, request, restore) {
    this.#errors.clear();
    this.#playback.unmute(); // browsers allow sound after a key press or click
    if (!this.#stage.isSpeaking) this.#timer.start();
    this.#pending.add(entry);
    const isSpoken = await this.#send(request, entry, restore);
    this.#pending.delete(entry);
    await this.#refresh();
    if (isSpoken) entry.remove();
  }

  async stop() {
    await this.#interruption.start();
    await this.#refresh();
  }

  /** Deletes the film and starts a new one; resolves to false if the server has refused it. */
  async reset() {
    this.#errors.clear();
    const entries = [...this.#pending]; // their requests may fail before the reset is answered
    try {
      await post("reset", { session_id: this.#sessionId });
      entries.forEach((entry) => entry.remove());
      this.#transcript.clear();
    } catch (error) {
      this.#errors.show(error);
      return false;
    } finally {
      await this.#refresh();
    }
    return true;
  }

  /** A text whose answer was lost may turn out to be in the film; then it need not be sent again. */
  #addEntry(text) {
    return this.#transcript.add(text, ({ whole }) => whole && this.#composer.discard(text));
  }

  /** Returns whether the whole text was spoken. */
  async #send(request, entry, restore) {
    try {
      await this.#interruption.settled;
      for await (const event of request()) showProgress(entry, event);
      return true;
    } catch (error) {
      this.#fail(error, entry, restore);
      return false;
    }
  }

  #fail(error, entry, restore) {
    this.#timer.cancel();
    if (error.kind === "InterruptedError") return entry.fail("cancelled before it was spoken");
    entry.fail(error.kind === "NoResponse" ? "connection lost" : "not spoken");
    this.#errors.show(error);
    if (restore()) entry.markRestored();
  }
}

function showProgress(entry, { event, data }) {
  if (event === "loading") entry.report("loading the engine");
  if (event === "speech") entry.report(`preparing sentence ${data.sentence + 1}`);
  if (event === "fragment") entry.report("speaking");
}
