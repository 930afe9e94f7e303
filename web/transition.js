// The animated transition between the idle face and the film, drawn on a canvas over both.

import { distance, interpolate } from "./head_pose.js";
import { REDUCED_MOTION } from "./idle_video.js";
import { Morph } from "./morph.js";

/** Duration of the cross-dissolve. */
const DISSOLVE_MS = 160;
/** Duration of the head's movement, in proportion to its distance. */
const MOVE_MS_PER_EYE_DISTANCE = 5000;
const MIN_MOVE_MS = 240;
const MAX_MOVE_MS = 1000;
const WARM_UP_MS = 200;

export class Transition {
  #canvas;
  #morph;
  #idle;
  #filmVideo;
  #filmFrame;
  #path = null;
  /**
   * The running transition: `{toFilm, startMs, moveMs, idleFrame, startPose, pose}`. One that
   * interrupts another starts at the pose that the other has reached.
   */
  #current = null;

  /** `filmFrame()` returns the frame of the film that is displayed. */
  constructor(canvas, { idle, filmVideo, filmFrame }) {
    this.#canvas = canvas;
    this.#morph = new Morph(canvas);
    this.#idle = idle;
    this.#filmVideo = filmVideo;
    this.#filmFrame = filmFrame;
  }

  /** True if transitions can be drawn; the style sheet fades the film where they cannot. */
  get isAvailable() {
    return this.#path !== null && !REDUCED_MOTION.matches && this.#morph.isAvailable && this.#idle.isReady;
  }

  get isRunning() {
    return this.#current !== null;
  }

  /** True if the running transition has finished its cross-dissolve. */
  get isDissolved() {
    return performance.now() - this.#current.startMs > DISSOLVE_MS;
  }

  /** Sets the head's path through the idle loop; null disables transitions. */
  setPath(path) {
    this.#path = path;
  }

  /** Draws once, invisibly: the first drawing is slow. */
  warmUp() {
    if (!this.isAvailable || this.isRunning) return;
    const still = { video: this.#idle.video, pose: this.#path.at(0) };
    this.#morph.draw({ ...this.#path, from: still, to: still, pose: still.pose, mixture: 0 });
    this.#canvas.classList.add("warming-up");
    this.#canvas.hidden = false;
    setTimeout(() => this.#endWarmUp(), WARM_UP_MS);
  }

  /** Starts a transition to the film or to the idle face. */
  start(toFilm) {
    if (!this.isAvailable) return this.#end();
    const previous = this.#current;
    const idleFrame = this.#idle.frame;
    this.#current = {
      toFilm,
      startMs: performance.now(),
      moveMs: this.#moveMs(idleFrame),
      idleFrame,
      startPose: previous?.pose ?? null,
      pose: null,
    };
    if (previous === null) this.#draw();
    this.#canvas.classList.remove("warming-up");
    this.#canvas.hidden = false;
  }

  #moveMs(idleFrame) {
    const way = distance(this.#path.at(this.#filmFrame()), this.#path.at(idleFrame));
    return Math.min(Math.max(way * MOVE_MS_PER_EYE_DISTANCE, MIN_MOVE_MS), MAX_MOVE_MS);
  }

  /** Draws one frame of the transition and schedules the next one. */
  #draw() {
    if (this.#current === null) return;
    const elapsedMs = performance.now() - this.#current.startMs;
    if (elapsedMs >= this.#current.moveMs || !this.#morph.isAvailable) return this.#end();
    const [from, to] = this.#sources(elapsedMs);
    const { startPose, moveMs } = this.#current;
    const pose = interpolate(startPose ?? from.pose, to.pose, smoothstep(elapsedMs / moveMs));
    this.#current.pose = pose;
    this.#morph.draw({ ...this.#path, from, to, pose, mixture: smoothstep(elapsedMs / DISSOLVE_MS) });
    requestAnimationFrame(() => this.#draw());
  }

  /** The two videos and the poses of their heads, in the order of the transition. */
  #sources(elapsedMs) {
    const { toFilm, idleFrame } = this.#current;
    const idleFrameNow = idleFrame + Math.floor((elapsedMs / 1000) * this.#idle.fps);
    const idle = { video: this.#idle.video, pose: this.#path.at(idleFrameNow) };
    const film = { video: this.#filmVideo, pose: this.#path.at(this.#filmFrame()) };
    return toFilm ? [idle, film] : [film, idle];
  }

  #end() {
    this.#current = null;
    this.#canvas.hidden = true;
  }

  #endWarmUp() {
    this.#canvas.classList.remove("warming-up");
    this.#canvas.hidden = !this.isRunning;
  }
}

function smoothstep(value) {
  const t = Math.min(Math.max(value, 0), 1);
  return t * t * (3 - 2 * t);
}
