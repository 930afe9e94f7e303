// Two pictures on top of one another: the idle face, and the film while somebody speaks.

const LOOK_MS = 40;
/** A film that stands still for so many looks has ended, or waits long enough to close the mouth. */
const PATIENCE = 3;

/**
 * Shows the film from its first new picture on, and the idle face again when the film has ended.
 *
 * The film's picture number n shows picture n of the idle loop with a speaking mouth. So while the
 * film is shown, the idle face waits, paused, on the picture that follows the film's last one, and
 * taking the film away does not move the head. Where the film begins, a short cross-fade covers
 * the way that the idle head has gone meanwhile.
 */
export class Stage {
  #element;
  #filmVideo;
  #idle;
  #film;
  #loop = { fps: 25, frames: 1 };
  #waitsAt = null;
  #starvedLooks = 0;

  constructor(element, filmVideo, idle, film) {
    this.#element = element;
    this.#filmVideo = filmVideo;
    this.#idle = idle;
    this.#film = film;
    idle.addEventListener("loadeddata", () => element.classList.add("has-face"));
    filmVideo.requestVideoFrameCallback(() => this.#onPicture());
    setInterval(() => this.#look(), LOOK_MS);
  }

  get isSpeaking() {
    return this.#element.classList.contains("speaking");
  }

  /** The idle loop of the avatar that speaks: its address, rate and number of pictures. */
  setIdle({ url, fps, frames, frame }) {
    this.#loop = { fps, frames };
    if (this.#idle.getAttribute("src") === url) return;
    this.#idle.src = url;
    this.#idle.currentTime = this.#timeOf(frame);
    this.#startIdle();
  }

  #onPicture() {
    this.#filmVideo.requestVideoFrameCallback(() => this.#onPicture());
    if (!this.#film.isStarved) this.#element.classList.add("speaking");
  }

  #look() {
    if (!this.isSpeaking) return;
    this.#starvedLooks = this.#film.isStarved ? this.#starvedLooks + 1 : 0;
    if (this.#film.isEmpty || this.#starvedLooks >= PATIENCE) this.#showIdle();
    else if (this.#isCovered()) this.#waitForEnd();
  }

  /** Whether the film has wholly faded in. */
  #isCovered() {
    return Number(getComputedStyle(this.#filmVideo).opacity) === 1;
  }

  #waitForEnd() {
    const frame = Math.floor(this.#film.end * this.#loop.fps);
    if (this.#waitsAt === frame) return;
    this.#waitsAt = frame;
    this.#idle.pause();
    this.#idle.currentTime = this.#timeOf(frame);
  }

  #showIdle() {
    this.#waitsAt = null;
    this.#starvedLooks = 0;
    this.#element.classList.remove("speaking");
    this.#startIdle();
  }

  #startIdle() {
    this.#idle.play().catch((error) => {
      if (error.name !== "AbortError") throw error; // a new source, or paused again
    });
  }

  /** The middle of a picture of the loop, in seconds. */
  #timeOf(frame) {
    return ((frame % this.#loop.frames) + 0.5) / this.#loop.fps;
  }
}
