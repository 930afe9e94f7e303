// The form below the transcript: the text to send or to speak, its voice and its speed.

const MODES = {
  chat: { label: "Message", placeholder: "Write a message…", button: "Send" },
  speak: { label: "Text to speak", placeholder: "Type something to say…", button: "Speak" },
};

export class Composer {
  #form;
  #text;
  #voice;
  #speed;
  #speedLabel;

  /**
   * Calls `onSubmit` for Enter and the button, `onInput` for every change, and `onUp` for the arrow
   * up in an empty field.
   */
  constructor(form, { onSubmit, onInput, onUp }) {
    const { text, voice, speed, "speed-label": speedLabel } = form.elements;
    this.#form = form;
    this.#text = text;
    this.#voice = voice;
    this.#speed = speed;
    this.#speedLabel = speedLabel;
    text.addEventListener("keydown", (event) => submitOnEnter(form, event));
    text.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowUp" || text.value !== "") return;
      event.preventDefault(); // the caret stays at the end of a text that `onUp` puts there
      onUp();
    });
    speed.addEventListener("input", () => this.#showSpeed());
    form.addEventListener("input", onInput);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit();
    });
  }

  /** Voice and speed as fields of a request to `/speak`. */
  get voiceSettings() {
    return { voice: this.#voice.value || null, speed: Number(this.#speed.value) };
  }

  get text() {
    return this.#text.value;
  }

  set text(text) {
    this.#text.value = text;
  }

  /** Names the field and its button for `"chat"` or `"speak"`. */
  setMode(mode) {
    const { label, placeholder, button } = MODES[mode];
    this.#text.placeholder = placeholder;
    this.#text.labels[0].textContent = label;
    this.#form.elements.send.textContent = button;
  }

  focus() {
    this.#text.focus();
  }

  /** Empties the text field and returns what it held; null for a blank text, which stays. */
  take() {
    const text = this.#text.value;
    this.focus();
    if (text.trim() === "") return null;
    this.#text.value = "";
    return text;
  }

  /** Puts a text back into an empty field; returns false when the user has typed another one. */
  restore(text) {
    if (this.#text.value !== "") return false;
    this.#text.value = text;
    return true;
  }

  /** Empties the field if it still holds a text that was restored. */
  discard(text) {
    if (this.#text.value === text) this.#text.value = "";
  }

  #showSpeed() {
    this.#speedLabel.textContent = `${this.#speed.value}×`;
    this.#speed.ariaValueText = this.#speedLabel.textContent;
  }
}

function submitOnEnter(form, event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
}
