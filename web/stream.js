// One long answer of the server, followed for as long as the page is open.

import { FragmentCutter } from "./boxes.js";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;

/**
 * Yields `{kind: "init", bytes}` when a film begins or is joined, then `{kind: "fragment", bytes}`
 * for each fragment, exactly once and in order, across lost connections. `onState` hears
 * `"waiting"`, `"open"` and `"lost"`. Ends when `signal` is aborted.
 */
export async function* watch(url, onState, signal) {
  const place = { film: null, end: null };
  let waitMs = FIRST_WAIT_MS;
  for (;;) {
    try {
      onState("waiting");
      for await (const segment of readOnce(url, place, onState, signal)) {
        waitMs = FIRST_WAIT_MS;
        yield segment;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError) && !(error instanceof StreamRefused)) throw error;
      onState("lost"); // fetch and its reader throw TypeError when the network fails
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
  }
}

class StreamRefused extends Error {}

async function* readOnce(url, place, onState, signal) {
  const response = await open(url, place, signal);
  const film = response.headers.get("Warmtalk-Film");
  const known = film === place.film;
  place.film = film;
  place.end = Number(response.headers.get("Warmtalk-Offset"));
  onState("open");
  for await (const segment of segments(response.body)) {
    if (segment.kind === "fragment") place.end += segment.bytes.length;
    else if (known) continue; // the player has it
    yield segment;
  }
}

/** Asks for what comes after `place`; a film that is not the known one is taken from its beginning. */
async function open(url, place, signal) {
  const response = await request(place.end === null ? url : `${url}?from=${place.end}`, signal);
  const film = response.headers.get("Warmtalk-Film");
  if (place.film === null || film === place.film) return response;
  await response.body.cancel();
  return request(`${url}?from=0`, signal);
}

async function request(address, signal) {
  const response = await fetch(address, { cache: "no-store", signal });
  if (response.ok) return response;
  throw new StreamRefused(`${address} answered ${response.status}`);
}

async function* segments(body) {
  const reader = body.getReader();
  const cutter = new FragmentCutter();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      yield* cutter.push(part.value);
    }
  } finally {
    await reader.cancel().catch(() => {}); // it may have ended by itself
  }
}
