// Talking to the face: recordings become texts, and texts are sent.

import { HandsFree } from "./hands_free.js";
import { isEcho } from "./echo_text.js";
import { HeldRecording } from "./held_recording.js";
import { transcribe } from "./transcription.js";

/** Below this, a press is a click that starts a recording; the next click ends it. */
const CLICK_MS = 400;
/** The face is silent while a short sound is recognised; if that takes longer, it goes on. */
const MAX_DOUBT_MS = 4000;

/**
 * States: `off`, `asking` (for the permission), `listening` (hands-free), `hearing` (a person
 * speaks), `sending` (a text is made of it), `refused` and `unavailable` (with a message).
 */
export class VoiceInput {
  #face;
  #chat;
  #onState;
  #onLevel;
  #onNothing;
  #onError;
  /** A recording while a button is held. */
  #held = null;
  #pressedMs = 0;
  #handsFree = null;
  /** The transcription of an utterance that may be over: `{text, abort}`. */
  #attempt = null;
  /** True from a sign of speech until it is over. */
  #isSuspecting = false;
  /** Texts are sent in the order in which they were spoken. */
  #sent = Promise.resolve();

  /**
   * `chat` has `canStop`, `hold()` and `release()` (a pause, because somebody may be speaking),
   * `interrupt()`, `send(text)` and `saidText`, what
   * the face has said in the last seconds. Calls `onState(state, message)`, `onLevel(rms)`, `onNothing()`
   * if nothing was heard in a recording, and `onError(error)`.
   */
  constructor(face, chat, { onState, onLevel, onNothing, onError }) {
    this.#face = face;
    this.#chat = chat;
    this.#onState = onState;
    this.#onLevel = onLevel;
    this.#onNothing = onNothing;
    this.#onError = onError;
  }

  get isHandsFree() {
    return this.#handsFree !== null;
  }

  get isRecording() {
    return this.#held !== null;
  }

  /** A button or key goes down: records; the avatar stops. */
  async press() {
    if (this.#handsFree || this.#held) return;
    this.#pressedMs = performance.now();
    this.#interrupt();
    this.#onState("asking");
    this.#held = this.#guard(() => HeldRecording.start({ onLevel: this.#onLevel, onLimit: () => this.finish() }));
    const recording = await this.#held;
    if (recording === null) this.#held = null;
    else if (this.#held) this.#onState("hearing");
  }

  /** The button or key goes up: ends the recording, unless it was only a click. */
  async release() {
    if (this.#held && performance.now() - this.#pressedMs > CLICK_MS) await this.finish();
  }

  /** Ends the recording and sends what was said. */
  async finish() {
    const recording = await this.#take();
    if (recording === null) return;
    this.#onState("sending");
    const { blob, name } = await recording.finish();
    await this.#send(this.#transcribe(blob, name));
    this.#rest();
  }

  /** Ends the recording and forgets it. */
  async cancel() {
    (await this.#take())?.cancel();
    this.#rest();
  }

  async startHandsFree() {
    if (this.#handsFree || this.#held) return;
    this.#onState("asking");
    this.#handsFree = this.#guard(() =>
      HandsFree.start(this.#face, {
        onEvent: (event) => this.#handle(event),
        onLost: () => this.stopHandsFree(),
      }),
    );
    if ((await this.#handsFree) === null) this.#handsFree = null;
    else this.#rest();
  }

  async stopHandsFree() {
    const listening = this.#handsFree;
    this.#handsFree = null;
    this.#abandon();
    this.#chat.release();
    (await listening)?.stop();
    this.#rest();
  }

  async #take() {
    const recording = await this.#held;
    this.#held = null;
    return recording;
  }

  async #guard(start) {
    try {
      return await start();
    } catch (error) {
      if (!error.state) throw error;
      this.#onState(error.state, error.message);
      return null;
    }
  }

  #rest() {
    if (!this.#held) this.#onState(this.#handsFree ? "listening" : "off");
  }

  #interrupt() {
    if (this.#chat.canStop) this.#chat.interrupt();
  }

  #handle(event) {
    const { type, level, recording } = event;
    if (type === "level") this.#onLevel(level);
    else if (type === "sign") this.#suspect();
    else if (type === "false-alarm") this.#goOn();
    else if (type === "word") this.#judge(event);
    else if (type === "person") this.#hear();
    else if (type === "resumed") this.#abandon();
    else if (type === "pause") this.#try(recording);
    else if (type === "end") this.#end(recording);
  }

  #suspect() {
    this.#isSuspecting = true;
    this.#chat.hold();
  }

  /** Nobody speaks: the face may. */
  async #goOn() {
    this.#isSuspecting = false;
    this.#chat.release();
    (await this.#handsFree)?.restoreSound();
  }

  /** Something as short as one word: it is a person's if it has words that the face has not said. */
  async #judge({ recording, isClear }) {
    this.#isSuspecting = false;
    const said = isClear ? "" : this.#chat.saidText;
    const limit = AbortSignal.timeout(MAX_DOUBT_MS);
    const heard = transcribe(recording, "recording.wav", limit);
    const text = await heard.catch(() => ""); // a failure is reported when it concerns a whole utterance
    const isPerson = text !== "" && !isEcho(text, said);
    (await this.#handsFree)?.settle(isPerson);
    if (isPerson) this.#interrupt();
    if (!this.#isSuspecting) this.#goOn();
    if (isPerson) await this.#send(text);
  }

  #hear() {
    this.#onState("hearing");
    this.#interrupt();
  }

  /** Transcribes before it is certain that the person has finished: the answer comes earlier. */
  #try(recording) {
    const abort = new AbortController();
    const text = transcribe(recording, "recording.wav", abort.signal);
    text.catch(() => {}); // reported when it is needed
    this.#attempt = { text, abort };
  }

  #abandon() {
    this.#attempt?.abort.abort();
    this.#attempt = null;
  }

  async #end(recording) {
    if (this.#attempt === null) this.#try(recording);
    const { text } = this.#attempt;
    this.#attempt = null;
    this.#goOn();
    this.#onState("sending");
    await this.#send(text);
    this.#rest();
  }

  #transcribe(blob, name) {
    const text = transcribe(blob, name);
    text.catch(() => {}); // reported in its turn
    return text;
  }

  #send(text) {
    this.#sent = this.#sent.then(() => this.#sendInTurn(text));
    return this.#sent;
  }

  async #sendInTurn(text) {
    try {
      const heard = await text;
      if (heard === "") this.#onNothing();
      else this.#chat.send(heard);
    } catch (error) {
      this.#onError(error);
    }
  }
}
