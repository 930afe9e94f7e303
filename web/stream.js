// The session's film as one long HTTP response, read for as long as the page is open.

import { FragmentParser } from "./boxes.js";

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/** A stream that is behind the server's film and receives nothing for this long is reconnected. */
const STALL_TIMEOUT_MS = 1500;
/** After this many stalled streams in succession the stream is given up. */
const MAX_STALLED_STREAMS = 2;

/** The server has no capacity for a stream, or the network does not deliver it. */
export class StreamUnavailable extends Error {}

/** The server writes films that cannot be watched while they grow. */
export class NotLive extends Error {}

class StreamLost extends Error {}

/** Streams a session. Calls `onState` with `"waiting"`, `"open"`, `"ended"` or `"lost"`. */
export class Stream {
  #url;
  #onState;
  #signal;
  #filmId = null;
  /** Bytes of the film received so far; null until the first response reports its offset. */
  #offset = null;
  #request = null;
  #isReading = false;
  #stalledStreams = 0;

  /**
   * Starts with the first fragment of the film if `fromStart`, otherwise with the next one. Ends
   * when `signal` is aborted.
   */
  constructor(url, { fromStart, onState, signal }) {
    this.#url = url;
    this.#offset = fromStart ? 0 : null;
    this.#onState = onState;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#request?.abort(signal.reason));
  }

  /** Starts at this offset, so that nothing spoken since the session was fetched is missed. */
  startAt(offset) {
    this.#offset = offset;
  }

  /**
   * Yields `{kind: "init", bytes, filmId}` when a film begins or is joined, then `{kind:
   * "fragment", bytes, filmId}` for each fragment, exactly once and in order, across lost
   * connections. Throws StreamUnavailable and NotLive.
   */
  async *segments() {
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, MAX_RETRY_MS)) {
      try {
        this.#onState("waiting");
        for await (const segment of this.#readOnce()) {
          retryMs = FIRST_RETRY_MS;
          yield segment;
        }
        this.#onState("ended");
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!isLoss(error)) throw error;
        this.#onState("lost");
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  /**
   * Compares the offset with the length of the server's film. Detects a connection that has died
   * without an error, and a proxy that holds data back.
   */
  checkProgress(filmBytes) {
    const offset = this.#offset;
    const isStalled = () => this.#isReading && this.#offset === offset && filmBytes > (offset ?? 0);
    if (isStalled()) setTimeout(() => isStalled() && this.#abortStalled(), STALL_TIMEOUT_MS);
  }

  #abortStalled() {
    this.#stalledStreams += 1;
    this.#request.abort(new StreamLost("the stream has stalled"));
  }

  async *#readOnce() {
    const response = await this.#open();
    const filmId = response.headers.get("Warmtalk-Film");
    const isKnown = filmId === this.#filmId;
    this.#filmId = filmId;
    this.#offset = Number(response.headers.get("Warmtalk-Offset"));
    this.#onState("open");
    for await (const segment of this.#parse(response.body)) {
      if (segment.kind === "fragment") this.#offset += segment.bytes.length;
      else if (isKnown) continue; // the player has this init segment already
      yield { ...segment, filmId };
    }
  }

  /** Requests the film from the offset on; a film that has replaced it is read from its beginning. */
  async #open() {
    const response = await this.#fetch(this.#offset === null ? "" : `?from=${this.#offset}`);
    const filmId = response.headers.get("Warmtalk-Film");
    if (this.#filmId === null || filmId === this.#filmId) return response;
    await response.body.cancel();
    return this.#fetch("?from=0");
  }

  async #fetch(query) {
    if (this.#stalledStreams >= MAX_STALLED_STREAMS) {
      throw new StreamUnavailable("a proxy or the network holds the stream back");
    }
    this.#request = new AbortController();
    const { signal } = this.#request;
    const url = this.#url + query;
    const response = await this.#track(fetch(url, { cache: "no-store", signal }));
    if (response.ok) return response;
    const { kind, detail } = await response.json().catch(() => ({}));
    if (kind === "QueueFullError") throw new StreamUnavailable(detail);
    if (kind === "NotLiveError") throw new NotLive(detail);
    throw new StreamLost(`${url} answered ${response.status}`);
  }

  async *#parse(body) {
    const reader = body.getReader();
    const parser = new FragmentParser();
    const read = () => this.#track(reader.read());
    try {
      for (let chunk = await read(); !chunk.done; chunk = await read()) {
        const segments = parser.push(chunk.value);
        if (segments.some(({ kind }) => kind === "fragment")) this.#stalledStreams = 0;
        yield* segments;
      }
    } finally {
      await reader.cancel().catch(() => {}); // the response may have ended already
    }
  }

  /** Only a stream that waits for the network can stall; one that waits for the player does not. */
  async #track(promise) {
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
