// The red line: what went wrong, for as long as it is wrong.

/** What an error goes with, by the kind that the server gives it; others stay until they are closed. */
const CAUSES = {
  NoAnswer: "server",
  NotReadyError: "server",
  QueueFullError: "queue",
  ValidationError: "request",
};

export class Complaint {
  #box;
  #words;
  #cause = null;

  constructor(box, words, button) {
    this.#box = box;
    this.#words = words;
    button.addEventListener("click", () => this.drop());
  }

  /** Shows an error's message, until its cause is over or somebody closes it. */
  show(error) {
    this.#cause = CAUSES[error.kind] ?? null;
    this.#words.textContent = error.message;
    this.#box.hidden = false;
  }

  /** The cause `"server"`, `"queue"` or `"request"` is gone, and with it what it brought. */
  end(cause) {
    if (this.#cause === cause) this.drop();
  }

  drop() {
    this.#cause = null;
    this.#box.hidden = true;
    this.#words.textContent = "";
  }
}
