// Facts about the film: its length, download link, player, and a notice.

export class FilmInfo {
  #length;
  #links;
  #player;
  #notice;
  /** Shown whenever the session has no problem of its own. */
  #standingNotice = "";

  /**
   * `root` contains the elements `#length`, `#player` and `#notice`, and the links `.film-link`;
   * `filmUrl` is the address of the film.
   */
  constructor(root, filmUrl) {
    this.#length = root.querySelector("#length");
    this.#links = [...root.querySelectorAll(".film-link")];
    for (const link of this.#links) link.href = filmUrl;
    this.#player = root.querySelector("#player");
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
