// The microphone in the composer: a button to talk, hands-free listening, a level and messages.

import { meterPlace } from "./loudness.js";
import { chooseMicrophone, chosenMicrophone, listMicrophones } from "./microphone_stream.js";
import { VoiceInput } from "./voice_input.js";

/** Held while talking; no other use in browsers and text fields. */
const TALK_KEY = "F2";
const BUTTON_KEYS = [" ", "Enter"];

const MARKUP = `
  <button type="button" id="talk" aria-pressed="false" aria-keyshortcuts="${TALK_KEY}">
    <svg viewBox="0 0 24 24" aria-hidden="true"><rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5 11a7 7 0 0 0 14 0M12 18v3"/></svg>
    <meter id="talk-level" min="0" max="1" value="0" aria-label="Loudness of the microphone" hidden></meter>
  </button>
  <button type="button" id="hands-free" aria-pressed="false" title="Listen all the time: talk, and interrupt by talking">Hands-free</button>
  <div id="microphone-line">
    <output id="microphone-state"></output>
    <label id="microphone-choice" hidden><span class="visually-hidden">Microphone</span> <select id="microphone-device" title="Microphone"></select></label>
  </div>`;

const STATES = {
  off: "",
  asking: "Waiting for the microphone: allow it if the browser asks…",
  listening: "Listening…",
  hearing: "Hearing you…",
  sending: "Understanding…",
};
const TITLES = {
  off: `Hold this button or ${TALK_KEY} while you talk, or click it before and after`,
  hearing: "Release it, or click, to send what you said; Escape discards it",
};
const NOTHING_HEARD = "Nothing was heard. Talk closer to the microphone, or choose another one.";

export class MicrophoneControls {
  #voice;
  #button;
  #handsFree;
  #level;
  #message;
  #choice;
  #device;
  #state = "off";
  #note = "";

  /**
   * Fills the element `root`. `face` is heard: that of `filmSound`; `chat` is that of VoiceInput; errors of the
   * server go to `onError(error)`.
   */
  constructor(root, face, { chat, onError }) {
    root.innerHTML = MARKUP;
    const find = (id) => root.querySelector(`#${id}`);
    [this.#button, this.#handsFree, this.#level] = [find("talk"), find("hands-free"), find("talk-level")];
    [this.#message, this.#choice, this.#device] = [find("microphone-state"), find("microphone-choice"), find("microphone-device")];
    this.#voice = new VoiceInput(face, chat, {
      onState: (state, message) => this.#show(state, message),
      onLevel: (level) => (this.#level.value = meterPlace(level)),
      onNothing: () => (this.#note = NOTHING_HEARD),
      onError,
    });
    this.#connect();
    this.#show("off");
  }

  /** Ends listening and recording. */
  stop() {
    if (this.#voice.isRecording) this.#voice.cancel();
    if (this.#voice.isHandsFree) this.#voice.stopHandsFree();
  }

  #connect() {
    const button = this.#button;
    button.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    for (const name of ["pointerup", "pointercancel"]) button.addEventListener(name, () => this.#voice.release());
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch
    button.addEventListener("keydown", (event) => BUTTON_KEYS.includes(event.key) && this.#keyDown(event));
    button.addEventListener("keyup", (event) => BUTTON_KEYS.includes(event.key) && this.#keyUp(event));
    addEventListener("keydown", (event) => this.#globalKeyDown(event), { capture: true });
    addEventListener("keyup", (event) => event.key === TALK_KEY && this.#keyUp(event));
    addEventListener("blur", () => this.#voice.release()); // the key goes up in another window
    this.#handsFree.addEventListener("click", () => this.#toggleHandsFree());
    this.#device.addEventListener("change", () => this.#changeDevice());
  }

  #pointerDown(event) {
    if (event.button !== 0) return;
    event.preventDefault(); // keeps the focus, and with it the keyboard of a telephone
    this.#button.setPointerCapture(event.pointerId);
    this.#toggle();
  }

  #keyDown(event) {
    event.preventDefault();
    if (!event.repeat) this.#toggle();
  }

  #keyUp(event) {
    event.preventDefault();
    this.#voice.release();
  }

  #globalKeyDown(event) {
    const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
    if (event.key === TALK_KEY && isPlain && !document.querySelector("dialog[open]")) this.#keyDown(event);
    if (event.key !== "Escape" || !this.#voice.isRecording) return;
    event.stopImmediatePropagation(); // it does not stop the face as well
    this.#voice.cancel();
  }

  #toggle() {
    if (this.#button.disabled) return;
    if (this.#voice.isRecording) this.#voice.finish();
    else this.#voice.press();
  }

  #toggleHandsFree() {
    if (this.#voice.isHandsFree) this.#voice.stopHandsFree();
    else this.#voice.startHandsFree();
  }

  async #changeDevice() {
    chooseMicrophone(this.#device.value);
    if (!this.#voice.isHandsFree) return;
    await this.#voice.stopHandsFree();
    await this.#voice.startHandsFree();
  }

  #show(state, message = "") {
    const isOpen = ["listening", "hearing"].includes(state);
    if (isOpen && this.#level.hidden) this.#listDevices();
    if (state === "hearing" || state === "asking") this.#note = "";
    this.#state = state;
    this.#button.dataset.state = state;
    this.#button.ariaPressed = String(this.#voice.isRecording);
    this.#button.disabled = this.#voice.isHandsFree || state === "sending";
    this.#button.title = TITLES[state] ?? TITLES.off;
    this.#button.ariaLabel = `Talk: ${this.#button.title}`;
    this.#handsFree.ariaPressed = String(this.#voice.isHandsFree);
    this.#level.hidden = !isOpen;
    this.#level.value = 0;
    this.#choice.hidden = !isOpen || this.#device.length < 2;
    this.#message.textContent = message || this.#note || STATES[state];
  }

  async #listDevices() {
    const devices = await listMicrophones();
    if (!this.#level.hidden) this.#choice.hidden = devices.length < 2;
    this.#device.replaceChildren(...devices.map(({ label, deviceId }) => new Option(label, deviceId)));
    this.#device.value = chosenMicrophone();
    if (this.#device.selectedIndex < 0) this.#device.selectedIndex = 0;
  }
}
