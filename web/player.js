// Plays a session: by its live stream where that works, otherwise by its film.

import { FILM_PLAYERS } from "./film_player.js";

const LIVE = "webrtc";
const LIVE_TITLE = "Played by WebRTC, live";
/** The film is played if there has been no live stream for this long. */
const COVER_AFTER_MS = 2500;
/** A live stream that is lost is tried again at once if it was shown for this long. */
const STABLE_MS = 3000;
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;
/** A film that speaks is replaced by the live stream when it pauses. */
const QUIET_INTERVAL_MS = 100;
/** The film is played if more than this was said that the live stream does not show. */
const MAX_MISSED_S = 0.5;
/** Longest wait for the film to speak. */
const FILM_START_MS = 8000;
/** Longest wait for the server to report what was said, and the position of the live stream in the film. */
const POSITION_TIMEOUT_MS = 1000;

export class Player {
  #options;
  #film;
  #live;
  #stage;
  #playback;
  #signal;
  #onLive;
  #onReason;
  #onError;
  #refresh;
  /** Ends the film that is being played; null if none is. */
  #filmEnd = null;
  /** True if the live stream has a picture, and if it is shown. */
  #isReady = false;
  #isLive = false;
  #shownMs = 0;
  #liveFilmId = null;
  /** The newest state of the session, and the newest one whose film was seen to its end or is not to be played. */
  #session = null;
  #seenSession = null;

  /**
   * `film` is a FilmPlayer, `live` a LivePlayer, `playback` an ActivePlayback. Calls
   * `onLive(name, title)` when the live stream is shown, `onReason(reason)` with the reason why it is not, and
   * `onError(error)` for errors of the film. `refresh()` requests a new answer, which `update` receives.
   */
  constructor(options, { film, live, stage, playback, signal, refresh, onLive, onReason, onError }) {
    this.#options = options;
    this.#film = film;
    this.#live = live;
    this.#stage = stage;
    this.#playback = playback;
    this.#signal = signal;
    this.#refresh = refresh;
    this.#onLive = onLive;
    this.#onReason = onReason;
    this.#onError = onError;
  }

  /** The server's identifier of the film that is seen, or null. */
  get filmId() {
    return this.#isLive ? this.#liveFilmId : this.#film.filmId;
  }

  /** True while the live stream is shown. */
  get isLive() {
    return this.#isLive;
  }

  get isConnectionLost() {
    return !this.#isLive && this.#film.isConnectionLost;
  }

  /** Plays the session from now on, or its film from the start if the options say so. */
  async play(session) {
    const { player, fromStart } = this.#options;
    const names = [LIVE, ...Object.keys(FILM_PLAYERS)];
    if (player !== null && !names.includes(player)) {
      throw new Error(`player = "${player}": choose one of ${names.join(", ")}.`);
    }
    this.#seenSession = session;
    if (player === LIVE) this.#onLive(LIVE, LIVE_TITLE);
    const isFilm = player === null ? fromStart : player !== LIVE;
    if (isFilm) await this.#film.play(session, { player, signal: this.#signal });
    else await this.#playLive(session);
  }

  /** Takes a new answer of the server about the session. */
  update(session) {
    this.#film.checkProgress(session.bytes);
    this.#session = session;
    if (this.#seenSession?.film !== session.film) this.#seenSession = beginning(session);
    if (!this.#isLive) return;
    this.#liveFilmId ??= session.film;
    if (session.state === "speaking") return;
    this.#seenSession = session;
    this.#live.setEnd(session.duration_s);
  }

  /** Stops a film that the session no longer has. */
  leaveFilm() {
    this.#liveFilmId = null;
    this.#live.leaveFilm();
    this.#film.leaveFilm();
  }

  /** Plays the live stream whenever there is one, and the film otherwise. */
  async #playLive(session) {
    let retryMs = FIRST_RETRY_MS;
    while (!this.#signal.aborted) {
      const cover = setTimeout(() => this.#startFilm(), COVER_AFTER_MS);
      const onPicture = () => {
        clearTimeout(cover);
        this.#showWhenSeen();
      };
      const loss = await this.#live.play(session.fps, onPicture);
      clearTimeout(cover);
      const wasStable = this.#hideLive();
      if (this.#signal.aborted) return;
      this.#onReason(loss.message);
      if (wasStable) retryMs = FIRST_RETRY_MS;
      if (wasStable) continue; // at once: the network has changed, or the server was restarted
      this.#startFilm();
      if (loss.isLasting) return;
      await this.#pause(loss.retryMs ?? retryMs);
      retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
    }
  }

  /** Shows the live stream, after the part of the film that was not seen and is no longer in the stream. */
  async #showWhenSeen() {
    this.#isReady = true;
    await this.#learnPosition();
    if (this.#isReady && this.#missedS > MAX_MISSED_S) this.#startFilm();
    const deadlineMs = performance.now() + FILM_START_MS;
    const isStarting = () => performance.now() < deadlineMs && this.#filmEnd !== null && this.#missedS > MAX_MISSED_S;
    const mustWait = () => this.#stage.isSpeaking || isStarting() || this.#isRepeating;
    while (this.#isReady && mustWait()) await pause(QUIET_INTERVAL_MS);
    if (this.#isReady && !this.#isLive) this.#showLive();
  }

  /** True while the live stream repeats what was seen already: it may lag behind the film. */
  get #isRepeating() {
    const { streamedS } = this.#live;
    return streamedS !== null && streamedS < this.#seenS;
  }

  /** Requests the state of the session, and waits for the position of the live stream. */
  async #learnPosition() {
    const deadlineMs = performance.now() + POSITION_TIMEOUT_MS;
    await Promise.race([this.#refresh(), pause(POSITION_TIMEOUT_MS)]);
    const isUnknown = () => !this.#live.hasPosition && performance.now() < deadlineMs;
    while (this.#isReady && isUnknown()) await pause(QUIET_INTERVAL_MS);
  }

  /** Length of the speech that was not seen and that the live stream has passed, seconds. */
  get #missedS() {
    return (this.#live.streamedS ?? this.#session.duration_s) - this.#seenS;
  }

  /** The position in the film up to which it was seen or is not to be played, seconds. */
  get #seenS() {
    return Math.max(this.#live.positionS ?? this.#seenSession.duration_s, this.#film.positionS ?? 0);
  }

  #showLive() {
    this.#live.setEnd(this.#seenS);
    this.#isLive = true;
    this.#shownMs = performance.now();
    this.#stage.showLive(true);
    this.#playback.setLive(true);
    this.#filmEnd?.abort();
    this.#filmEnd = null;
    this.#film.leaveFilm();
    this.#onLive(LIVE, LIVE_TITLE);
    this.#onReason("");
  }

  /** Returns whether the stream was shown for a while. */
  #hideLive() {
    this.#isReady = false;
    if (!this.#isLive) return false;
    this.#isLive = false;
    this.#stage.showLive(false);
    this.#playback.setLive(false);
    return performance.now() - this.#shownMs > STABLE_MS;
  }

  /** Plays the film, from where the live stream was lost. */
  #startFilm() {
    if (this.#filmEnd !== null || this.#options.player === LIVE) return;
    this.#filmEnd = new AbortController();
    const signal = AbortSignal.any([this.#signal, this.#filmEnd.signal]);
    const seenS = this.#live.positionS;
    this.#film.play(this.#seenSession, { player: null, signal, seenS }).catch(this.#onError);
  }

  /** Waits, but no longer than until the network or the page is back. */
  async #pause(ms) {
    const back = new AbortController();
    const { signal } = back;
    const returned = new Promise((resolve) => {
      addEventListener("online", resolve, { signal });
      navigator.connection?.addEventListener?.("change", resolve, { signal });
      document.addEventListener("visibilitychange", () => document.hidden || resolve(), { signal });
      this.#signal.addEventListener("abort", resolve, { signal });
    });
    await Promise.race([pause(ms), returned]);
    back.abort();
  }
}

/** The state of a session before its film had anything to see. */
function beginning(session) {
  return { ...session, exists: false, bytes: 0, duration_s: 0 };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
