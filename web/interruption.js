// Stops the current speech: here at once, and on the server.

import { post } from "./server.js";

export class Interruption {
  #sessionId;
  #stage;
  #playback;
  #errors;
  #settled = Promise.resolve();
  #isRunning = false;

  constructor(sessionId, { stage, playback, errors }) {
    this.#sessionId = sessionId;
    this.#stage = stage;
    this.#playback = playback;
    this.#errors = errors;
  }

  /** Resolves when the server has answered. What is sent next waits for it, or it would be stopped too. */
  get settled() {
    return this.#settled;
  }

  /** True until the server has answered. */
  get isRunning() {
    return this.#isRunning;
  }

  /** Silences the face now; resolves to the server's answer, or to null if it could not be reached. */
  start() {
    const positionS = this.#playback.positionS;
    this.#playback.stop();
    this.#stage.leaveFilm();
    this.#settled = this.#interrupt(positionS);
    return this.#settled;
  }

  async #interrupt(positionS) {
    this.#isRunning = true;
    try {
      const answer = await post("interrupt", { session_id: this.#sessionId, position_s: positionS });
      this.#playback.resumeAfter(answer.position_s);
      return answer;
    } catch (error) {
      this.#errors.show(error);
      this.#playback.resume();
      return null;
    } finally {
      this.#isRunning = false;
    }
  }
}
