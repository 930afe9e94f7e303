// Facts about the film: its length, download link, player with its delay, and a notice.

export class FilmInfo {
  #length;
  #links;
  #player;
  #delay;
  #reason;
  #notice;
  /** Shown whenever the session has no problem of its own. */
  #standingNotice = "";

  /**
   * `root` contains the elements `#length`, `#player`, `#delay`, `#reason` and `#notice`, and the links `.film-link`;
   * `filmUrl` is the address of the film.
   */
  constructor(root, filmUrl) {
    this.#length = root.querySelector("#length");
    this.#links = [...root.querySelectorAll(".film-link")];
    for (const link of this.#links) link.href = filmUrl;
    this.#player = root.querySelector("#player");
    this.#delay = root.querySelector("#delay");
    this.#reason = root.querySelector("#reason");
    this.#notice = root.querySelector("#notice");
  }

  /** True if the session had a film when it was last shown. */
  get hasFilm() {
    return !this.#links[0].hidden;
  }

  showSession({ avatar_id: avatar, duration_s: durationS, exists, problem }) {
    this.#showNotice(problem || this.#standingNotice);
    this.#length.textContent = exists ? `${minutes(durationS)} of film` : `${avatar} is listening`;
    for (const link of this.#links) link.hidden = !exists;
  }

  showPlayer(name, title) {
    this.#player.textContent = name;
    this.#player.title = title;
    this.#delay.textContent = "";
  }

  /** Shows how long ago the picture was sent that is shown. */
  showDelay(delayMs) {
    this.#delay.textContent = `${Math.round(delayMs)} ms delay`;
  }

  /** Shows why the live stream is not played; empty if it is. */
  showReason(reason) {
    const text = reason && `no live stream: ${reason}`;
    if (this.#reason.textContent !== text) this.#reason.textContent = text;
    this.#reason.title = text;
    this.#reason.hidden = text === "";
  }

  /** Shows a notice for as long as the page is open. */
  setStandingNotice(message) {
    this.#standingNotice = message;
    this.#showNotice(message);
  }

  #showNotice(message) {
    if (this.#notice.textContent !== message) this.#notice.textContent = message;
    this.#notice.hidden = message === "";
  }
}

/** Formats a duration as m:ss. */
function minutes(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
