// The film by its HLS playlist: with hls.js, or where the browser plays playlists by itself.

import { NotLive } from "./stream.js";

const HLS_JS = "/web/vendor/hls.light.min.js";
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
const DAY_MS = 86_400_000;
/** The server answers when there is something new; until then it lets us wait. */
const PATIENT = {
  maxTimeToFirstByteMs: DAY_MS,
  maxLoadTimeMs: DAY_MS,
  timeoutRetry: null,
  errorRetry: {
    maxNumRetry: 1_000_000,
    retryDelayMs: FIRST_WAIT_MS,
    maxRetryDelayMs: LONGEST_WAIT_MS,
    backoff: "exponential",
  },
};
const HLS_SETTINGS = {
  lowLatencyMode: true,
  liveSyncDuration: 0.1, // what was said is heard out, however far behind its writing that is
  maxLiveSyncPlaybackRate: 1,
  maxBufferLength: 60,
  backBufferLength: 10,
  enableWorker: false, // the film is MP4 already
  manifestLoadPolicy: { default: PATIENT },
  playlistLoadPolicy: { default: PATIENT },
  fragLoadPolicy: { default: PATIENT },
};

class PlaylistLost extends Error {}

/** Plays the films of a session one after the other, through lost connections and resets. */
export class Playlist {
  #url;
  #screen;
  #onState;
  #onBegun;
  #onAppended;
  #signal;

  constructor(url, screen, { onState, onBegun, onAppended, signal }) {
    this.#url = url;
    this.#screen = screen;
    this.#onState = onState;
    this.#onBegun = onBegun;
    this.#onAppended = onAppended;
    this.#signal = signal;
  }

  static isNative(video) {
    return video.canPlayType("application/vnd.apple.mpegurl") !== "";
  }

  /** `joinsAtS` is the end of what was said before anybody looked. */
  async playByHlsJs(joinsAtS) {
    await loadHlsJs();
    await this.#playFilms(joinsAtS, (startS) => this.#playByHlsJs(startS));
  }

  async playNatively(joinsAtS) {
    if (!Playlist.isNative(this.#screen.video)) {
      throw new Error("This browser plays no HLS playlists by itself; player=hls does it with hls.js.");
    }
    await this.#playFilms(joinsAtS, (startS) => this.#playNatively(startS));
  }

  /** Film after film; `play` resolves, or throws PlaylistLost, when one cannot go on. */
  async #playFilms(joinsAtS, play) {
    let known = null;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      try {
        this.#onState("waiting");
        const film = await this.#nextFilm();
        if (film !== known) this.#begin(film);
        const startS = known === null ? joinsAtS : film === known ? this.#screen.time : 0;
        known = film;
        this.#onState("open");
        waitMs = FIRST_WAIT_MS;
        await play(startS);
        this.#onState("over");
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!(error instanceof TypeError) && !(error instanceof PlaylistLost)) throw error;
        this.#onState("lost");
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /** Which film the playlist is of; waits until there is one. */
  async #nextFilm() {
    const response = await fetch(this.#url, { cache: "no-store", signal: this.#signal });
    const text = await response.text();
    if (response.ok) return /EXT-X-MAP:URI="([^"]*)"/.exec(text)[1];
    const { kind, detail } = JSON.parse(text);
    if (kind === "NotLiveError") throw new NotLive(detail);
    throw new PlaylistLost(`${this.#url} answered ${response.status}: ${detail}`);
  }

  async #playByHlsJs(startPosition) {
    const { Hls } = globalThis;
    const hls = new Hls({ ...HLS_SETTINGS, startPosition });
    try {
      await new Promise((resolve, reject) => {
        this.#signal.addEventListener("abort", resolve);
        hls.on(Hls.Events.BUFFER_APPENDED, () => this.#appended(hls.latestLevelDetails?.edge));
        hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => details.live || resolve());
        hls.on(Hls.Events.ERROR, (_, { fatal, type, details }) => {
          if (fatal) reject(new PlaylistLost(`${type}: ${details}`));
        });
        hls.loadSource(this.#url);
        hls.attachMedia(this.#screen.video);
      });
    } finally {
      hls.destroy();
    }
  }

  async #playNatively(startS) {
    const { video } = this.#screen;
    const appended = () => this.#appended();
    const events = new AbortController();
    const options = { signal: events.signal };
    video.addEventListener("loadedmetadata", () => (video.currentTime = startS), options);
    video.addEventListener("progress", appended, options);
    video.src = this.#url;
    try {
      await new Promise((resolve, reject) => {
        video.addEventListener("ended", resolve, options);
        video.addEventListener("error", () => reject(new PlaylistLost(video.error.message)), options);
        this.#signal.addEventListener("abort", resolve, options);
      });
    } finally {
      events.abort();
    }
  }

  #begin(address) {
    this.#screen.clear();
    this.#onBegun(new URLSearchParams(address.split("?")[1]).get("film"));
  }

  #appended(picturesEndS) {
    this.#screen.advance(picturesEndS);
    this.#onAppended();
  }
}

/** hls.js is big; only who needs it fetches it. */
function loadHlsJs() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = HLS_JS;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${HLS_JS} is missing; set the server up again with npm at hand.`));
    document.head.append(script);
  });
}
