// The error banner: shows an error until its cause is resolved or the user dismisses it.

/** The cause of an error, by the `kind` in the server's answer. Other errors stay until dismissed. */
const CAUSES = {
  NoResponse: "server",
  NotReadyError: "server",
  QueueFullError: "queue",
  ValidationError: "request",
};

export class ErrorBanner {
  #banner;
  #message;
  #cause = null;

  constructor(banner) {
    this.#banner = banner;
    this.#message = banner.querySelector("#error-text");
    banner.querySelector("#error-close").addEventListener("click", () => this.clear());
  }

  show(error) {
    this.#cause = CAUSES[error.kind] ?? null;
    this.#message.textContent = error.message;
    this.#banner.hidden = false;
  }

  /** Shows every error that no other code has handled. */
  showUnhandled() {
    addEventListener("unhandledrejection", ({ reason }) => {
      this.show(reason instanceof Error ? reason : new Error(String(reason)));
    });
  }

  /** Clears an error whose cause, `"server"`, `"queue"` or `"request"`, no longer exists. */
  resolve(cause) {
    if (this.#cause === cause) this.clear();
  }

  clear() {
    this.#cause = null;
    this.#banner.hidden = true;
    this.#message.textContent = "";
  }
}
