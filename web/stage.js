// The stage: the idle face, and the film on top of it while someone speaks; or the live stream.

import { HeadPath } from "./head_pose.js";
import { IdleVideo, REDUCED_MOTION } from "./idle_video.js";
import { call } from "./server.js";
import { Transition } from "./transition.js";

const CHECK_INTERVAL_MS = 40;
/** A film that stands still for this many checks has ended, or pauses for long enough to be hidden. */
const MAX_STARVED_CHECKS = 3;
/** The live stream covers the idle face after this time; the style sheet fades it. */
const LIVE_FADE_MS = 200;

/**
 * Shows the film from its first new frame on, and the idle face again when the film has ended.
 *
 * Frame n of the film is frame n of the idle loop with a speaking mouth. While the film is shown,
 * the idle video is paused on the frame after the film's last one, so hiding the film does not move
 * the head. When the film starts again, the idle head has moved on: a `Transition` moves it to the
 * film's position. A transition also leads back from a film that is stopped in the middle.
 *
 * A live stream has the idle face in it and covers both. Users who ask for reduced motion see it only
 * while it speaks, and the still idle face otherwise.
 */
export class Stage {
  #element;
  #playback;
  #live;
  #idle;
  #transition;
  /** Address of the poses that are known or requested. */
  #pathUrl = null;
  #onFilmShown;
  #isLive = false;
  #isStalled = false;
  #filmFrame = 0;
  #heldFrame = null;
  #starvedChecks = 0;

  /** `live` is a LivePlayback. Calls `onFilmShown` when somebody begins to speak in the picture. */
  constructor(element, { playback, live, onFilmShown }) {
    this.#element = element;
    this.#playback = playback;
    this.#live = live;
    this.#onFilmShown = onFilmShown;
    this.#idle = new IdleVideo(element.querySelector("#idle"));
    this.#transition = new Transition(element.querySelector("#morph"), {
      idle: this.#idle,
      filmVideo: playback.video,
      filmFrame: () => this.#filmFrame,
    });
    this.#idle.video.addEventListener("loadeddata", () => this.#warmUp());
    playback.onFrames((timeS) => this.#onFrame(timeS));
    // A player with enough data displays the first new frame before it starts to play.
    playback.video.addEventListener("playing", () => this.#onFrame(playback.time));
    setInterval(() => this.#check(), CHECK_INTERVAL_MS);
  }

  /** True while somebody speaks in the picture. */
  get isSpeaking() {
    return this.#isLive ? this.#live.isSpeaking : this.#isFilmShown;
  }

  /** Shows the live stream in place of the film, or leaves it. */
  showLive(isLive) {
    this.#isLive = isLive;
    this.#isStalled = false;
    if (isLive && this.#isFilmShown) this.#showIdle();
    this.updateLive();
  }

  /** Handles a live stream that stalls or continues. */
  setLiveStalled(isStalled) {
    this.#isStalled = isStalled;
    this.updateLive();
  }

  /** To be called for each picture of the live stream. */
  updateLive() {
    const { isSpeaking } = this.#live;
    const wasTalking = this.#element.classList.contains("talking");
    this.#element.classList.toggle("talking", isSpeaking);
    this.#coverByLive(this.#isLive && !this.#isStalled && (isSpeaking || !REDUCED_MOTION.matches));
    if (isSpeaking && !wasTalking) this.#onFilmShown();
  }

  /** Pauses the idle face while it is hidden. */
  #coverByLive(isCovered) {
    if (this.#element.classList.contains("live") === isCovered) return;
    this.#element.classList.toggle("live", isCovered);
    if (isCovered) setTimeout(() => this.#element.classList.contains("live") && this.#idle.rest(), LIVE_FADE_MS);
    else this.#idle.play();
  }

  /** Shows the face of a session, unless it is shown already. */
  async setFace({ idle, avatar_id: avatar, fps, width, height }) {
    if (idle === null) return;
    const files = `avatars/${avatar}`;
    this.#element.style.setProperty("--ratio", width / height);
    if (this.#idle.load({ ...idle, url: `${files}/idle.mp4`, fps })) {
      this.#transition.setPath(null);
      this.#pathUrl = null;
    }
    await this.#loadPath(`${files}/path.json`);
  }

  /** Without the poses the film fades in. If the server refuses them, the next call asks again. */
  async #loadPath(url) {
    if (this.#pathUrl === url) return;
    this.#pathUrl = url;
    const path = await call(url).catch(() => null);
    if (this.#pathUrl !== url) return; // another face is shown meanwhile
    if (path === null) {
      this.#pathUrl = null;
      return;
    }
    this.#transition.setPath(new HeadPath(path));
    this.#warmUp();
  }

  /** Leaves a film that was stopped in the middle; the server does it in a live stream. */
  leaveFilm() {
    if (!this.#isFilmShown) return;
    this.#idle.video.addEventListener("seeked", () => this.#leaveStoppedFilm(), { once: true });
    this.#idle.hold(this.#filmFrame);
  }

  get #isFilmShown() {
    return this.#element.classList.contains("speaking");
  }

  #warmUp() {
    if (!this.#isFilmShown) this.#transition.warmUp();
  }

  /** `timeS` lies within the frame; the start of a frame may be rounded down to the previous one. */
  #onFrame(timeS) {
    this.#filmFrame = Math.floor(timeS * this.#idle.fps + 0.01);
    this.#showFilm();
  }

  #showFilm() {
    if (this.#isLive || this.#isFilmShown || this.#playback.isStopped || this.#playback.isStarved) return;
    this.#element.classList.add("speaking");
    this.#startTransition(true);
    this.#onFilmShown();
  }

  #leaveStoppedFilm() {
    if (!this.#playback.isStopped) return; // it has resumed
    this.#startTransition(false);
    this.#showIdle();
  }

  #startTransition(toFilm) {
    this.#element.classList.toggle("morphing", this.#transition.isAvailable);
    this.#transition.start(toFilm);
  }

  #check() {
    if (!this.#isFilmShown || this.#playback.isStopped) return;
    this.#playback.checkStall();
    this.#starvedChecks = this.#playback.isStarved ? this.#starvedChecks + 1 : 0;
    if (this.#playback.isEmpty) this.#showIdle();
    else if (this.#isFilmOpaque()) this.#checkForEnd();
  }

  /** Moves the hidden idle face to where it will be needed. */
  #checkForEnd() {
    this.#holdIdleAtEnd();
    if (this.#starvedChecks >= MAX_STARVED_CHECKS && !this.#transition.isRunning) this.#showIdle();
  }

  #isFilmOpaque() {
    if (this.#transition.isRunning) return this.#transition.isDissolved;
    return Number(getComputedStyle(this.#playback.video).opacity) === 1;
  }

  #holdIdleAtEnd() {
    const frame = Math.floor(this.#playback.end * this.#idle.fps);
    if (this.#heldFrame === frame) return;
    this.#heldFrame = frame;
    this.#idle.hold(frame);
  }

  #showIdle() {
    this.#heldFrame = null;
    this.#starvedChecks = 0;
    this.#element.classList.remove("speaking");
    this.#playback.seekToNextClip();
    this.#idle.play();
  }
}
