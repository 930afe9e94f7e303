// The playback that the user sees and hears: that of the film, or that of the live stream.

export class ActivePlayback {
  #film;
  #live;
  #isLive = false;

  /** `film` is a Playback, `live` a LivePlayback. The first click or key turns on the sound. */
  constructor(film, live) {
    this.#film = film;
    this.#live = live;
    for (const type of ["click", "keydown"]) addEventListener(type, () => this.#unmuteByGesture());
  }

  /** Shows the live stream, or the film. */
  setLive(isLive) {
    this.#isLive = isLive;
    this.#live.setShown(isLive);
  }

  get time() {
    return this.#active.time;
  }

  /** Position in the film that was heard; null if nothing of it was. */
  get positionS() {
    return this.#active.positionS;
  }

  get isStopped() {
    return this.#active.isStopped;
  }

  stop() {
    this.#active.stop();
  }

  hold() {
    this.#active.hold();
  }

  /** Releases both: the active one may have changed since `hold`. */
  release() {
    this.#film.release();
    this.#live.release();
  }

  resumeAfter(timeS) {
    this.#active.resumeAfter(timeS);
  }

  /** Continues when the position at which the server stopped is unknown. */
  resume() {
    this.#active.resumeAfter(this.#isLive || this.#film.isEmpty ? 0 : this.#film.end);
  }

  unmute() {
    this.#film.unmute();
    this.#live.unmute();
  }

  get #active() {
    return this.#isLive ? this.#live : this.#film;
  }

  /** Unmutes, unless the key is not a gesture that allows sound. */
  #unmuteByGesture() {
    if (navigator.userActivation?.hasBeenActive ?? true) this.unmute();
  }
}
