// The time from sending a text to the first frame of its speech.

export class FirstFrameTimer {
  #output;
  #startMs = null;

  constructor(output) {
    this.#output = output;
  }

  /** Starts the timer unless it is running. */
  start() {
    this.#startMs ??= performance.now();
  }

  /** Shows the elapsed time if the timer is running. */
  stop() {
    if (this.#startMs === null) return;
    this.#output.textContent = `first frame after ${Math.round(performance.now() - this.#startMs)} ms`;
    this.cancel();
  }

  cancel() {
    this.#startMs = null;
  }

  clear() {
    this.cancel();
    this.#output.textContent = "";
  }
}
