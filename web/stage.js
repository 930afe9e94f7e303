// Two pictures on top of one another: the idle face, and the film while somebody speaks.

import { Handover } from "./handover.js";
import { Path, between, distance } from "./pose.js";

const LOOK_MS = 40;
const WARM_UP_MS = 200;
/** A film that stands still for so many looks has ended, or waits long enough to close the mouth. */
const PATIENCE = 3;
/** An idle face that should move, and has not for so long, has lost its film. */
const LOST_MS = 2500;
/** How long one picture takes to replace the other. */
const MIX_MS = 160;
/** How long the head takes from where the idle face has it to where the film has it … */
const SHORTEST_MOVE_MS = 240;
const LONGEST_MOVE_MS = 1000;
/** … for every distance of the eyes that it has to go. */
const MOVE_MS_PER_EYE_DISTANCE = 5000;
/** Who wants less motion sees an idle face that stands still, and pictures that fade. */
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Shows the film from its first new picture on, and the idle face again when the film has ended.
 *
 * The film's picture number n shows picture n of the idle loop with a speaking mouth. So while the
 * film is shown, the idle face waits, paused, on the picture that follows the film's last one, and
 * taking the film away does not move the head. Where a film begins, the idle head has gone its own
 * way meanwhile: both pictures are bent to one head, which goes over from one way to the other
 * (`handover.js`). A film that is stopped in the middle is left in the same manner.
 */
export class Stage {
  #element;
  #screen;
  #idle;
  #canvas;
  #onSpeaking;
  #handover;
  #loop = { fps: 25, frames: 1 };
  #path = null;
  #filmFrame = 0;
  #idles = false;
  #idleMoved = { timeS: 0, atMs: 0 };
  #waitsAt = null;
  #starvedLooks = 0;
  /**
   * The change that is going on: `{toFilm, since, moveMs, idleFrame, start, pose}`. One that comes
   * before another has ended starts at the pose which that one has reached.
   */
  #change = null;

  /** `onSpeaking` is called when the film comes into view. */
  constructor(element, canvas, screen, idle, onSpeaking) {
    this.#element = element;
    this.#screen = screen;
    this.#idle = idle;
    this.#canvas = canvas;
    this.#onSpeaking = onSpeaking;
    this.#handover = new Handover(canvas);
    idle.addEventListener("loadeddata", () => {
      element.classList.add("has-face");
      this.#warmUp();
    });
    idle.addEventListener("seeked", () => this.#playIdle());
    STILL.addEventListener("change", () => (STILL.matches ? idle.pause() : this.#playIdle()));
    screen.onPictures((timeS) => this.#onPicture(timeS));
    // A player that has enough shows the first new picture, and begins when its sound does.
    screen.video.addEventListener("playing", () => this.#onPicture(screen.time));
    setInterval(() => this.#look(), LOOK_MS);
  }

  get isSpeaking() {
    return this.#element.classList.contains("speaking");
  }

  /**
   * The idle loop of the avatar that speaks: its addresses, rate and number of pictures. Told again
   * and again, it is loaded anew if its player lost it: some ask the server at every turn of the loop.
   */
  async setIdle({ url, path_url: pathUrl, fps, frames, frame }) {
    this.#loop = { fps, frames };
    if (this.#idle.getAttribute("src") === url && !this.#hasLostIdle()) return;
    this.#path = null;
    this.#idles = true;
    this.#idle.addEventListener("loadedmetadata", () => this.#goTo(frame), { once: true });
    this.#idle.src = url;
    this.#path = new Path(await (await fetch(pathUrl)).json());
    this.#warmUp();
  }

  #hasLostIdle() {
    const { currentTime: timeS, paused, seeking, networkState } = this.#idle;
    const waits = networkState === HTMLMediaElement.NETWORK_LOADING || (paused && !seeking) || document.hidden;
    const nowMs = performance.now();
    if (waits || timeS !== this.#idleMoved.timeS) this.#idleMoved = { timeS, atMs: nowMs };
    return nowMs - this.#idleMoved.atMs > LOST_MS;
  }

  /** Leave the film in the middle; it has been told to stop. */
  leave() {
    if (!this.isSpeaking) return;
    this.#idle.addEventListener("seeked", () => this.#leaveNow(), { once: true });
    this.#waitOn(this.#filmFrame);
  }

  /** A time within a picture is that picture's; its own may be rounded down. */
  #onPicture(timeS) {
    this.#filmFrame = Math.floor(timeS * this.#loop.fps + 0.01);
    this.#come();
  }

  #come() {
    if (this.isSpeaking || this.#screen.isStopped || this.#screen.isStarved) return;
    this.#element.classList.add("speaking");
    this.#begin(true);
    this.#onSpeaking();
  }

  #leaveNow() {
    if (!this.#screen.isStopped) return; // it speaks again
    this.#begin(false);
    this.#showIdle();
  }

  /** Whether a change is drawn: without a path or WebGL, the style sheet fades the film. */
  get #canDraw() {
    if (this.#path === null || STILL.matches) return false;
    return this.#handover.isPossible && this.#idle.readyState >= 2;
  }

  /** The first drawing takes its time, and is done where nobody sees it: over the same picture. */
  #warmUp() {
    if (!this.#canDraw || this.isSpeaking || this.#change !== null) return;
    const still = { video: this.#idle, pose: this.#path.at(0) };
    this.#handover.draw({ ...this.#path, from: still, to: still, pose: still.pose, share: 0 });
    this.#canvas.classList.add("faint");
    this.#canvas.hidden = false;
    setTimeout(() => this.#endWarmUp(), WARM_UP_MS);
  }

  #endWarmUp() {
    this.#canvas.classList.remove("faint");
    this.#canvas.hidden = this.#change === null;
  }

  #begin(toFilm) {
    this.#element.classList.toggle("bends", this.#canDraw);
    if (!this.#canDraw) return this.#endChange();
    const isDrawing = this.#change !== null;
    const start = isDrawing ? this.#change.pose : null;
    this.#change = { toFilm, since: performance.now(), idleFrame: this.#idleFrame(), start };
    const apart = distance(this.#path.at(this.#filmFrame), this.#path.at(this.#change.idleFrame));
    const wanted = apart * MOVE_MS_PER_EYE_DISTANCE;
    this.#change.moveMs = Math.min(Math.max(wanted, SHORTEST_MOVE_MS), LONGEST_MOVE_MS);
    if (!isDrawing) this.#draw();
    this.#canvas.classList.remove("faint");
    this.#canvas.hidden = false;
  }

  /** One picture of the change; asks for the next one. */
  #draw() {
    if (this.#change === null) return;
    const { toFilm, since, moveMs, idleFrame, start } = this.#change;
    const passedMs = performance.now() - since;
    if (passedMs >= moveMs || !this.#handover.isPossible) return this.#endChange();
    const gone = Math.floor((passedMs / 1000) * this.#loop.fps);
    const idle = { video: this.#idle, pose: this.#path.at(idleFrame + gone) };
    const film = { video: this.#screen.video, pose: this.#path.at(this.#filmFrame) };
    const [from, to] = toFilm ? [idle, film] : [film, idle];
    const pose = between(start ?? from.pose, to.pose, smooth(passedMs / moveMs));
    this.#change.pose = pose;
    this.#handover.draw({ ...this.#path, from, to, pose, share: smooth(passedMs / MIX_MS) });
    requestAnimationFrame(() => this.#draw());
  }

  #endChange() {
    this.#change = null;
    this.#canvas.hidden = true;
  }

  #look() {
    if (!this.isSpeaking || this.#screen.isStopped) return;
    this.#starvedLooks = this.#screen.isStarved ? this.#starvedLooks + 1 : 0;
    if (this.#screen.isEmpty) this.#showIdle();
    else if (this.#isMixed()) this.#lookForEnd();
  }

  /** Once the film has the picture to itself, the idle face goes where it will be needed. */
  #lookForEnd() {
    this.#waitForEnd();
    if (this.#starvedLooks >= PATIENCE && this.#change === null) this.#showIdle();
  }

  #isMixed() {
    if (this.#change !== null) return performance.now() - this.#change.since > MIX_MS;
    return Number(getComputedStyle(this.#screen.video).opacity) === 1;
  }

  #waitForEnd() {
    const frame = Math.floor(this.#screen.end * this.#loop.fps);
    if (this.#waitsAt === frame) return;
    this.#waitsAt = frame;
    this.#waitOn(frame);
  }

  #showIdle() {
    this.#waitsAt = null;
    this.#starvedLooks = 0;
    this.#element.classList.remove("speaking");
    this.#screen.rest();
    this.#idles = true;
    this.#playIdle();
  }

  #waitOn(frame) {
    this.#idles = false;
    this.#idle.pause();
    this.#goTo(frame);
  }

  #goTo(frame) {
    this.#idle.currentTime = this.#timeOf(frame);
  }

  /** WebKitGTK, told to play before it has arrived, stands still or begins its loop anew. */
  #playIdle() {
    if (!this.#idles || this.#idle.seeking || STILL.matches) return;
    this.#idle.play().catch((error) => {
      if (error.name !== "AbortError") throw error; // a new source, or paused again
    });
  }

  #idleFrame() {
    return Math.floor(this.#idle.currentTime * this.#loop.fps);
  }

  /** The middle of a picture of the loop, in seconds. */
  #timeOf(frame) {
    return ((frame % this.#loop.frames) + 0.5) / this.#loop.fps;
  }
}

/** From 0 to 1, slow at both ends. */
function smooth(share) {
  const within = Math.min(Math.max(share, 0), 1);
  return within * within * (3 - 2 * within);
}
