// Plays a session's films from the HLS playlist, with hls.js or with the browser's own HLS support.

import { NotLive } from "./stream.js";

const HLS_JS = "web/vendor/hls.light.min.js";
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
const DAY_MS = 86_400_000;
/** The server holds a request until there is something new, so only the network can fail. */
const LOAD_POLICY = {
  maxTimeToFirstByteMs: DAY_MS,
  maxLoadTimeMs: DAY_MS,
  timeoutRetry: null,
  errorRetry: {
    maxNumRetry: 1_000_000,
    retryDelayMs: FIRST_RETRY_MS,
    maxRetryDelayMs: MAX_RETRY_MS,
    backoff: "exponential",
  },
};
const HLS_SETTINGS = {
  lowLatencyMode: true,
  liveSyncDuration: 0.1,
  maxLiveSyncPlaybackRate: 1, // plays all speech at its own speed, however far behind the live edge
  maxBufferLength: 60,
  backBufferLength: 10,
  enableWorker: false, // the film is MP4 already
  manifestLoadPolicy: { default: LOAD_POLICY },
  playlistLoadPolicy: { default: LOAD_POLICY },
  fragLoadPolicy: { default: LOAD_POLICY },
};

class PlaylistLost extends Error {}

/** Plays one film after another, across lost connections and resets. */
export class HlsPlayer {
  #url;
  #playback;
  #onState;
  #onFilm;
  #onAppended;
  #signal;

  /** Calls `onState` as `Stream` does, `onFilm(filmId)` for a new film, `onAppended()` for new data. */
  constructor(url, playback, { onState, onFilm, onAppended, signal }) {
    this.#url = new URL(url, document.baseURI).href; // hls.js would resolve it otherwise
    this.#playback = playback;
    this.#onState = onState;
    this.#onFilm = onFilm;
    this.#onAppended = onAppended;
    this.#signal = signal;
  }

  /** True if the browser plays HLS without hls.js. */
  static isNative(video) {
    return video.canPlayType("application/vnd.apple.mpegurl") !== "";
  }

  /** Plays the first film from `startS` on, and every later one from its beginning. */
  async playWithHlsJs(startS) {
    await loadHlsJs();
    await this.#playFilms(startS, (timeS) => this.#playFilmWithHlsJs(timeS));
  }

  /** Like `playWithHlsJs`, but with the browser's own HLS support. */
  async playNatively(startS) {
    if (!HlsPlayer.isNative(this.#playback.video)) {
      throw new Error("This browser has no HLS player of its own; use player=hls, which plays with hls.js.");
    }
    await this.#playFilms(startS, (timeS) => this.#playFilmNatively(timeS));
  }

  /** `playFilm` resolves when a film has ended, and throws PlaylistLost when it cannot continue. */
  async #playFilms(firstStartS, playFilm) {
    let current = null;
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, MAX_RETRY_MS)) {
      try {
        this.#onState("waiting");
        const film = await this.#fetchFilm();
        if (film !== current) this.#begin(film);
        const startS = current === null ? firstStartS : film === current ? this.#playback.time : 0;
        current = film;
        this.#onState("open");
        retryMs = FIRST_RETRY_MS;
        await playFilm(startS);
        this.#onState("ended");
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!(error instanceof TypeError) && !(error instanceof PlaylistLost)) throw error;
        this.#onState("lost");
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  /** Returns the URL of the playlist's init segment; the server answers once there is a film. */
  async #fetchFilm() {
    const response = await fetch(this.#url, { cache: "no-store", signal: this.#signal });
    if (response.ok) return /EXT-X-MAP:URI="([^"]*)"/.exec(await response.text())[1];
    const { kind, detail } = await response.json().catch(() => ({})); // a proxy may answer instead
    if (kind === "NotLiveError") throw new NotLive(detail);
    throw new PlaylistLost(`${this.#url} answered ${response.status}: ${detail ?? ""}`);
  }

  async #playFilmWithHlsJs(startPosition) {
    const { Hls } = globalThis;
    const hls = new Hls({ ...HLS_SETTINGS, startPosition });
    try {
      await new Promise((resolve, reject) => {
        this.#signal.addEventListener("abort", resolve);
        hls.on(Hls.Events.BUFFER_APPENDED, () => this.#advance(hls.latestLevelDetails?.edge));
        hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => details.live || resolve());
        hls.on(Hls.Events.ERROR, (_, { fatal, type, details }) => {
          if (fatal) reject(new PlaylistLost(`${type}: ${details}`));
        });
        hls.loadSource(this.#url);
        hls.attachMedia(this.#playback.video);
      });
    } finally {
      hls.destroy();
    }
  }

  async #playFilmNatively(startS) {
    const { video } = this.#playback;
    const listeners = new AbortController();
    const options = { signal: listeners.signal };
    video.addEventListener("loadedmetadata", () => (video.currentTime = startS), options);
    video.addEventListener("progress", () => this.#advance(), options);
    video.src = this.#url;
    try {
      await new Promise((resolve, reject) => {
        video.addEventListener("ended", resolve, options);
        video.addEventListener("error", () => reject(new PlaylistLost(video.error.message)), options);
        this.#signal.addEventListener("abort", resolve, options);
      });
    } finally {
      listeners.abort();
    }
  }

  #begin(initUrl) {
    this.#playback.reset();
    this.#onFilm(new URLSearchParams(initUrl.split("?")[1]).get("film"));
  }

  #advance(videoEndS) {
    this.#playback.advance(videoEndS);
    this.#onAppended();
  }
}

/** Loads hls.js, which is large, only when it is needed. */
function loadHlsJs() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = HLS_JS;
    script.onload = resolve;
    const message = `${HLS_JS} is missing. Install npm and run \`make setup\` again.`;
    script.onerror = () => reject(new Error(message));
    document.head.append(script);
  });
}
