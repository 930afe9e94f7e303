// Editing a message that was sent: its text is in the text field until it is sent or left.

export class Editing {
  #line;
  #composer;
  #view = null;
  #draft = "";

  /** `line` says that a message is being edited, and has the button that leaves it; Escape in `form` does so, too. */
  constructor(line, form, composer) {
    this.#line = line;
    this.#composer = composer;
    line.querySelector("button").addEventListener("click", () => this.cancel());
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.isActive) return;
      event.stopPropagation(); // it does not stop the speech
      this.cancel();
    });
  }

  get isActive() {
    return this.#view !== null;
  }

  /** Puts the text of a turn into the text field; what was typed there is kept for later. */
  start(view) {
    if (!this.isActive) this.#draft = this.#composer.text;
    this.#view = view;
    this.#composer.text = view.turn.user_text;
    this.#line.hidden = false;
    this.#composer.focus();
  }

  /** Leaves the message as it was. */
  cancel() {
    this.finish();
    this.#composer.text = this.#draft;
    this.#composer.focus();
  }

  /** Ends the editing; returns the view of the edited turn, or null. */
  finish() {
    const view = this.#view;
    this.#view = null;
    this.#line.hidden = true;
    return view;
  }
}
