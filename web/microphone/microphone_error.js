// Reasons why the microphone cannot be used, each with the next step.

/** The browser or the user refuses the microphone: state `refused`; otherwise `unavailable`. */
const REFUSALS = new Set(["NotAllowedError", "PermissionDeniedError"]);

export class MicrophoneError extends Error {
  /** `state`: `"refused"` or `"unavailable"`. */
  constructor(message, state = "unavailable") {
    super(message);
    this.state = state;
  }
}

/** Throws a MicrophoneError if this page has no access to any microphone. */
export function requireMicrophone() {
  if (!isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    throw new MicrophoneError(
      "Browsers allow the microphone only on https:// pages and on the server's own computer" +
        " (http://localhost). Open this page there, or type instead.",
    );
  }
}

/** Turns an error of `getUserMedia` into a MicrophoneError. */
export function explained(error) {
  if (error instanceof MicrophoneError) return error;
  if (REFUSALS.has(error.name)) return new MicrophoneError(refusal(error), "refused");
  return new MicrophoneError(failure(error));
}

function refusal({ message }) {
  if (/dismissed/i.test(message)) {
    return "The browser's question about the microphone was closed without an answer. Press the button again and allow it.";
  }
  if (/system/i.test(message)) {
    return "The operating system does not let this browser use the microphone. Allow it in the system's privacy settings.";
  }
  return (
    "This page may not use the microphone. Allow it in the browser's settings for this page" +
    " (the symbol left of the address), then press the button again."
  );
}

function failure({ name, message }) {
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return "No microphone was found. Connect one and press the button again, or type instead.";
  }
  if (name === "NotReadableError" || name === "AbortError") {
    return "The microphone is in use by another program, or does not work. Close that program and press the button again.";
  }
  return `The microphone cannot be used: ${message || name}. Press the button to try again, or type instead.`;
}
