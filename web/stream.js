// One long answer of the server, followed for as long as the page is open.

import { FragmentCutter } from "./boxes.js";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
/** A stream that is behind the server's film, and brings nothing for so long, is asked for anew. */
const SILENCE_MS = 1500;
/** What was asked for anew so often in vain is no way to watch. */
const SILENT_STREAMS = 2;

/** The stream cannot be had here, or does not come through: another player may do better. */
export class StreamUnusable extends Error {}

/** The server keeps a film that cannot be watched while it grows. */
export class NotLive extends Error {}

class StreamLost extends Error {}

/** The stream of a session. `onState` hears `"waiting"`, `"open"`, `"over"` and `"lost"`. */
export class Stream {
  #url;
  #onState;
  #signal;
  #film = null;
  #end = null;
  #request = null;
  #isReading = false;
  #silentStreams = 0;

  /**
   * Ends when `signal` is aborted. With `fromStart` it begins with the film's first fragment, else
   * with the next one.
   */
  constructor(url, { fromStart, onState, signal }) {
    this.#url = url;
    this.#end = fromStart ? 0 : null;
    this.#onState = onState;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#request?.abort(signal.reason));
  }

  /** Begin with the first fragment behind this byte: what was said since somebody looked comes too. */
  beginAt(bytes) {
    this.#end = bytes;
  }

  /**
   * Yields `{kind: "init", bytes, film}` when a film, named `film`, begins or is joined, then
   * `{kind: "fragment", bytes, film}` for each fragment, exactly once and in order, across lost
   * connections. Throws StreamUnusable and NotLive.
   */
  async *segments() {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      try {
        this.#onState("waiting");
        for await (const segment of this.#readOnce()) {
          waitMs = FIRST_WAIT_MS;
          yield segment;
        }
        this.#onState("over");
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!isLoss(error)) throw error;
        this.#onState("lost");
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /**
   * Told now and then how long the server's film is, notices a connection that has died without a
   * word, or that something on the way holds back.
   */
  compare(bytes) {
    const end = this.#end;
    const isBehind = () => this.#isReading && this.#end === end && bytes > (end ?? 0);
    if (isBehind()) setTimeout(() => isBehind() && this.#giveUp(), SILENCE_MS);
  }

  #giveUp() {
    this.#silentStreams += 1;
    this.#request.abort(new StreamLost("the stream brings nothing"));
  }

  async *#readOnce() {
    const response = await this.#open();
    const film = response.headers.get("Warmtalk-Film");
    const known = film === this.#film;
    this.#film = film;
    this.#end = Number(response.headers.get("Warmtalk-Offset"));
    this.#onState("open");
    for await (const segment of this.#cut(response.body)) {
      if (segment.kind === "fragment") this.#end += segment.bytes.length;
      else if (known) continue; // the player has it
      yield { ...segment, film };
    }
  }

  /** Asks for what comes after; a film that is not the known one is taken from its beginning. */
  async #open() {
    const response = await this.#ask(this.#end === null ? "" : `?from=${this.#end}`);
    const film = response.headers.get("Warmtalk-Film");
    if (this.#film === null || film === this.#film) return response;
    await response.body.cancel();
    return this.#ask("?from=0");
  }

  async #ask(query) {
    if (this.#silentStreams >= SILENT_STREAMS) {
      throw new StreamUnusable("something on the way holds the stream back");
    }
    this.#request = new AbortController();
    const { signal } = this.#request;
    const address = this.#url + query;
    const response = await this.#wait(fetch(address, { cache: "no-store", signal }));
    if (response.ok) return response;
    const { kind, detail } = await response.json().catch(() => ({}));
    if (kind === "QueueFullError") throw new StreamUnusable(detail);
    if (kind === "NotLiveError") throw new NotLive(detail);
    throw new StreamLost(`${address} answered ${response.status}`);
  }

  async *#cut(body) {
    const reader = body.getReader();
    const cutter = new FragmentCutter();
    const read = () => this.#wait(reader.read());
    try {
      for (let part = await read(); !part.done; part = await read()) {
        const segments = cutter.push(part.value);
        if (segments.some(({ kind }) => kind === "fragment")) this.#silentStreams = 0;
        yield* segments;
      }
    } finally {
      await reader.cancel().catch(() => {}); // it may have ended by itself
    }
  }

  async #wait(promise) {
    this.#isReading = true;
    try {
      return await promise;
    } finally {
      this.#isReading = false;
    }
  }
}

/** fetch and its reader throw TypeError when the network fails. */
function isLoss(error) {
  return error instanceof TypeError || error instanceof StreamLost;
}
