// Plays the session's films with the best player that works in this browser and on this network.

import { HlsPlayer } from "./hls_player.js";
import { MsePlayer } from "./mse_player.js";
import { Stream, StreamUnavailable } from "./stream.js";

/** The players, by the name that `?player=` takes. */
export const FILM_PLAYERS = {
  mse: "Media Source Extensions, one stream",
  hls: "hls.js, HLS playlist",
  native: "the browser's own HLS player",
};

export class FilmPlayer {
  #playback;
  #captions;
  #options;
  #onPlayer;
  #onEnded;
  #stream = null;
  #connection = "waiting";
  #filmId = null;

  /**
   * Calls `onPlayer(name, title)` when a player is chosen, `onEnded()` when a film has ended: its
   * session was reset, or the server stopped.
   */
  constructor(options, { playback, captions, onPlayer, onEnded }) {
    this.#options = options;
    this.#playback = playback;
    this.#captions = captions;
    this.#onPlayer = onPlayer;
    this.#onEnded = onEnded;
  }

  /** The server's identifier of the film that is playing, or null. */
  get filmId() {
    return this.#filmId;
  }

  /** The position of the film in playback, seconds; null if no film is loaded. */
  get positionS() {
    return this.#filmId === null ? null : this.#playback.positionS;
  }

  get isConnectionLost() {
    return this.#connection === "lost";
  }

  /**
   * Plays the films of a session from now on, or from the start if the options say so, until `signal`
   * is aborted. `player` is the name of one; null chooses the best. What was seen already, up to `seenS` in
   * the film, is not shown again.
   */
  async play({ exists, bytes, duration_s: durationS }, { player, signal, seenS = null }) {
    const startS = exists && !this.#options.fromStart ? (seenS ?? durationS) : 0;
    const from = { bytes, startS, seenS, signal };
    try {
      await this.#playWith(player ?? this.#bestPlayer(), from);
    } catch (error) {
      if (!(error instanceof StreamUnavailable)) throw error;
      await this.#playWith("hls", from, ` (${error.message})`);
    }
  }

  /** Compares the film received so far with the server's, which is `bytes` long. */
  checkProgress(bytes) {
    this.#stream?.checkProgress(bytes);
  }

  /** Stops a film that the session no longer has. */
  leaveFilm() {
    this.#filmId = null;
    this.#playback.stop();
    this.#captions.clear();
  }

  #bestPlayer() {
    if (MsePlayer.isSupported) return "mse";
    if (HlsPlayer.isNative(this.#playback.video)) return "native";
    throw new Error("This browser supports neither Media Source Extensions nor HLS; use a newer one.");
  }

  async #playWith(name, { bytes, startS, seenS, signal }, reason = "") {
    this.#onPlayer(name, `Played by ${FILM_PLAYERS[name]}${reason}`);
    if (name === "mse") await this.#playStream(bytes, seenS, signal);
    else if (name === "hls") await this.#hlsPlayer(signal).playWithHlsJs(startS);
    else await this.#hlsPlayer(signal).playNatively(startS);
  }

  async #playStream(bytes, seenS, signal) {
    const { fromStart, sessionUrl } = this.#options;
    const onState = (state) => this.#setConnection(state, signal);
    const stream = new Stream(`${sessionUrl}/stream`, { fromStart, onState, signal });
    if (!fromStart) stream.startAt(bytes);
    this.#stream = stream;
    const player = new MsePlayer(this.#playback);
    let isFirst = true;
    for await (const { kind, bytes: data, filmId } of stream.segments()) {
      if (signal.aborted) return;
      if (kind === "init") {
        this.#beginFilm(filmId);
        await player.begin(data);
        if (isFirst && seenS !== null) this.#playback.startAt(seenS);
        isFirst = false;
      } else {
        await player.append(data);
        this.#captions.update();
      }
    }
  }

  #hlsPlayer(signal) {
    return new HlsPlayer(`${this.#options.sessionUrl}/live.m3u8`, this.#playback, {
      onState: (state) => this.#setConnection(state, signal),
      onFilm: (filmId) => this.#beginFilm(filmId),
      onAppended: () => this.#captions.update(),
      signal,
    });
  }

  #beginFilm(filmId) {
    this.#filmId = filmId;
    this.#captions.clear();
  }

  #setConnection(state, signal) {
    if (signal.aborted) return;
    this.#connection = state;
    if (state === "ended") this.#onEnded();
  }
}
