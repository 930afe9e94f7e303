// Speech to text by the server.

import { call } from "../server.js";

/** Longer than any recognition of an utterance takes; loading the recogniser is part of it. */
const TIMEOUT_MS = 60_000;

/**
 * Sends a recording; returns its text, empty if nothing was said. `signal` ends the request.
 * Throws Refused and NoResponse.
 */
export async function transcribe(blob, name, signal) {
  const body = new FormData();
  body.append("audio", blob, name);
  const limits = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
  const { text } = await call("transcribe", { method: "POST", body, signal: AbortSignal.any(limits) });
  return text.trim();
}
