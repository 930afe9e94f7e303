// Polls the server for its health and for the state of the session.

import { call, callAnyStatus, sessionHeader } from "./server.js";

const INTERVAL_MS = 3000;
/** A server that sends no answer for this long is treated as unreachable. */
const TIMEOUT_MS = 2500;
const RETRY_MS = 500;

export class SessionMonitor {
  #sessionId;
  #transcript;
  #player;
  #handlers;
  /** Requests are numbered: answers may arrive out of order, and an old one is ignored. */
  #requests = 0;
  #newestAnswer = 0;

  /**
   * `handlers`: `onHealth(health)`, `onFace(session)` while the server warms up,
   * `onSession(session)`, `onFilmReplaced()` after a reset, and `onUnreachable(error)`.
   */
  constructor(sessionId, { transcript, player, ...handlers }) {
    this.#sessionId = sessionId;
    this.#transcript = transcript;
    this.#player = player;
    this.#handlers = handlers;
  }

  start() {
    setInterval(() => this.refresh(), INTERVAL_MS);
  }

  /** Waits until the session is known and `prepare(session)`, which may throw, has succeeded. */
  async waitForSession(prepare) {
    for (;;) {
      try {
        const session = await this.refresh();
        if (session) await prepare(session);
        if (session) return session;
      } catch (error) {
        this.#handlers.onUnreachable(error);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Asks the server now; resolves to the session, or to undefined while there is none. */
  async refresh() {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const headers = sessionHeader(this.#sessionId); // of several servers, the health of the session's own
      const health = await callAnyStatus("health", { headers, signal });
      this.#handlers.onHealth(health);
      // A server that is warming up has not opened its films yet, and reports none.
      if (health.status === "warming") return await this.#refreshFace(signal);
      return await this.#refreshSession(this.#transcript.lastIndex, signal);
    } catch (error) {
      this.#handlers.onUnreachable(error);
      if (error.isTimeout) return this.refresh(); // over another connection
    }
  }

  async #refreshFace(signal) {
    this.#handlers.onFace(await this.#fetchSession({}, signal));
  }

  /** Fetches the session with its clips from index `first` on, because a film of hours has many. */
  async #refreshSession(first, signal) {
    const [request, filmBefore] = [(this.#requests += 1), this.#player.filmId];
    const session = await this.#fetchSession({ clips_from: first }, signal);
    if (request < this.#newestAnswer) return session;
    if (!this.#transcript.update(first, session.clips)) return this.#refreshSession(0, signal);
    this.#newestAnswer = request;
    this.#checkFilm(session, filmBefore);
    if (session.state !== "speaking") this.#transcript.discardRestored();
    this.#handlers.onSession(session);
    return session;
  }

  /** Compares the session's film with the one that was playing before and after the request. */
  #checkFilm(session, filmBefore) {
    const { filmId } = this.#player;
    if (filmId === null || filmId !== filmBefore) return;
    if (session.film !== filmId) this.#handlers.onFilmReplaced();
  }

  #fetchSession(query, signal) {
    const parameters = new URLSearchParams({ session_id: this.#sessionId, ...query });
    return call(`session?${parameters}`, { signal });
  }
}
