// Plays the session's films with the best player that works in this browser and on this network.

import { HlsPlayer } from "./hls_player.js";
import { MsePlayer } from "./mse_player.js";
import { Stream, StreamUnavailable } from "./stream.js";

/** The players, by the name that `?player=` takes. */
const TITLES = {
  mse: "Media Source Extensions, one stream",
  hls: "hls.js, HLS playlist",
  native: "the browser's own HLS player",
};

export class FilmPlayer {
  #playback;
  #captions;
  #options;
  #stream;
  #hls;
  #onPlayer;
  #onEnded;
  #connection = "waiting";
  #filmId = null;

  /**
   * Calls `onPlayer(name, title)` when a player is chosen, `onEnded()` when a film has ended: its
   * session was reset, or the server stopped. Playing ends when `signal` is aborted.
   */
  constructor(options, { playback, captions, onPlayer, onEnded, signal }) {
    this.#options = options;
    this.#playback = playback;
    this.#captions = captions;
    this.#onPlayer = onPlayer;
    this.#onEnded = onEnded;
    const { sessionUrl, fromStart } = options;
    const onState = (state) => this.#setConnection(state);
    this.#stream = new Stream(`${sessionUrl}/stream`, { fromStart, onState, signal });
    this.#hls = new HlsPlayer(`${sessionUrl}/live.m3u8`, playback, {
      onState,
      onFilm: (filmId) => this.#beginFilm(filmId),
      onAppended: () => captions.update(),
      signal,
    });
  }

  /** The server's identifier of the film that is playing, or null. */
  get filmId() {
    return this.#filmId;
  }

  get isConnectionLost() {
    return this.#connection === "lost";
  }

  /** Plays the films of a session from now on, or from the start if the options say so. */
  async play({ exists, bytes, duration_s: durationS }) {
    const { fromStart, player } = this.#options;
    if (!fromStart) this.#stream.startAt(bytes);
    const startS = exists && !fromStart ? durationS : 0;
    try {
      await this.#playWith(player ?? this.#bestPlayer(), startS);
    } catch (error) {
      if (!(error instanceof StreamUnavailable)) throw error;
      await this.#playWith("hls", startS, ` (${error.message})`);
    }
  }

  /** Compares the film received so far with the server's, which is `bytes` long. */
  checkProgress(bytes) {
    this.#stream.checkProgress(bytes);
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

  async #playWith(name, startS, reason = "") {
    if (!(name in TITLES)) {
      throw new Error(`player = "${name}": choose one of ${Object.keys(TITLES).join(", ")}.`);
    }
    this.#onPlayer(name, `Played by ${TITLES[name]}${reason}`);
    if (name === "mse") await this.#playStream();
    else if (name === "hls") await this.#hls.playWithHlsJs(startS);
    else await this.#hls.playNatively(startS);
  }

  async #playStream() {
    const player = new MsePlayer(this.#playback);
    for await (const { kind, bytes, filmId } of this.#stream.segments()) {
      if (kind === "init") {
        this.#beginFilm(filmId);
        await player.begin(bytes);
      } else {
        await player.append(bytes);
        this.#captions.update();
      }
    }
  }

  #beginFilm(filmId) {
    this.#filmId = filmId;
    this.#captions.clear();
  }

  #setConnection(state) {
    this.#connection = state;
    if (state === "ended") this.#onEnded();
  }
}
