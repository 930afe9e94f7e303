// Plays the live stream of a session, and notices when it is lost.

import { LipSync } from "./lip_sync.js";
import { LiveCaptions } from "./live_captions.js";
import { LiveDelay } from "./live_delay.js";
import { receiveMessages } from "./live_messages.js";
import { LiveUnavailable, WhepConnection, findUnsupported } from "./whep_connection.js";

const PICTURE_TIMEOUT_MS = 5000;
const CHECK_INTERVAL_MS = 250;
/** The stream has stalled if nothing arrives for this long: sound is sent all the time. */
const STALL_MS = 1000;
/** A stream that has stalled for this long is lost. */
const LOST_MS = 2500;
/** A clip is on disk this long after its first picture, and is then listed. */
const LISTED_MS = 500;
const MEASURING_INTERVAL_MS = 1000;

export class LivePlayer {
  #url;
  #playback;
  #signal;
  #onDelay;
  #onStalled;
  #onSpeech;
  #captions = new LiveCaptions();
  #connection = null;
  #fps = 25;
  #endReason = null;

  /**
   * `url` is the WHEP endpoint of the session. Calls `onDelay(ms)` once a second, and
   * `onStalled(isStalled)` when the stream stalls and when it goes on, and `onSpeech()` shortly
   * after the beginning of a clip, at its end, and when it is interrupted.
   */
  constructor(url, playback, { signal, onDelay, onStalled, onSpeech }) {
    this.#url = url;
    this.#playback = playback;
    this.#signal = signal;
    this.#onDelay = onDelay;
    this.#onStalled = onStalled;
    this.#onSpeech = onSpeech;
  }

  /** The sentence that is heard at a time of the film, which may be null. */
  captionAt(timeS) {
    return this.#captions.at(timeS === null ? null : timeS * this.#fps);
  }

  /** Another film has begun. */
  leaveFilm() {
    this.#captions.clear();
    this.#playback.leaveFilm();
  }

  /** The position in the film that was seen last, seconds; null if it is not known. */
  get positionS() {
    return this.#playback.positionS;
  }

  /** The position in the film that the stream has now, shown or not; null while nobody speaks. */
  get streamedS() {
    return this.#playback.streamedS;
  }

  /** True if the server has sent a position of the stream. */
  get hasPosition() {
    return this.#playback.hasPosition;
  }

  /** Sets the position up to which the film was seen, seconds. */
  setEnd(endS) {
    this.#playback.setEnd(endS);
  }

  /**
   * Plays until the stream is lost; returns the reason, a LiveUnavailable. Calls `onPicture()` when the
   * first picture has arrived.
   */
  async play(fps, onPicture) {
    const unsupported = findUnsupported();
    if (unsupported !== null) return new LiveUnavailable(unsupported, { isLasting: true });
    [this.#fps, this.#endReason] = [fps, null];
    this.#connection = new WhepConnection(this.#url, this.#signal);
    this.#receiveMessages();
    try {
      await this.#connection.negotiate();
      this.#playback.begin(this.#connection.stream, fps);
      await this.#connection.waitForPath();
      await this.#waitForPicture();
      onPicture();
      return new LiveUnavailable(await this.#untilLost());
    } catch (error) {
      if (error instanceof LiveUnavailable) return error;
      throw error;
    } finally {
      this.#connection.close();
      this.#captions.clear();
      this.#playback.end();
    }
  }

  /** Resolves to the reason when the stream is lost. */
  async #untilLost() {
    const tools = { delay: new LiveDelay(), lipSync: new LipSync() };
    this.#playback.observe((receivedMs, shownMs) => tools.delay.addPicture(receivedMs, shownMs));
    const arrivals = { packets: 0, atMs: performance.now() };
    let [measuredMs, isStalled] = [performance.now(), false];
    for (;;) {
      await pause(CHECK_INTERVAL_MS);
      const streams = await this.#connection.statistics("inbound-rtp");
      const reason = this.#findLoss(streams, arrivals);
      if (reason !== null) return reason;
      this.#connection.setPictureDelay(tools.lipSync.follow(streams));
      const nowMs = performance.now();
      if (nowMs - arrivals.atMs > STALL_MS !== isStalled) this.#onStalled((isStalled = !isStalled));
      if (nowMs - measuredMs < MEASURING_INTERVAL_MS) continue;
      measuredMs = nowMs;
      await this.#measure(streams, tools.delay);
    }
  }

  async #measure(streams, delay) {
    const delayMs = delay.measure(streams, await this.#connection.statistics("candidate-pair"));
    if (delayMs === null) return;
    this.#playback.setDelay(delayMs);
    this.#onDelay(delayMs);
  }

  #receiveMessages() {
    const { channel } = this.#connection;
    receiveMessages(channel, {
      position: (position) => this.#playback.addPosition(position),
      caption: (caption) => this.#captions.add(caption),
      started: () => setTimeout(this.#onSpeech, LISTED_MS),
      finished: () => this.#onSpeech(),
      interrupted: ({ reason }) => this.#noteInterruption(reason),
      end: ({ reason }) => (this.#endReason = reason),
    });
  }

  /** `reason` is `clear` if the speech is cut off, and undefined if its last words were said. */
  #noteInterruption(reason) {
    if (reason === "clear") this.#playback.dropRest();
    this.#onSpeech();
  }

  async #waitForPicture() {
    const { video } = this.#playback;
    const deadlineMs = performance.now() + PICTURE_TIMEOUT_MS;
    while (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.videoWidth === 0) {
      if (performance.now() > deadlineMs) throw new LiveUnavailable("no picture has arrived in 5 s");
      if (this.#connection.isClosed) throw new LiveUnavailable(this.#endReason ?? "the connection was lost");
      await Promise.race([nextEvent(video, "loadeddata"), pause(CHECK_INTERVAL_MS)]);
    }
  }

  /** The reason why the stream is lost; null if it is not. */
  #findLoss(streams, arrivals) {
    if (this.#endReason !== null) return this.#endReason;
    if (this.#connection.isClosed) return "the connection was lost";
    const packets = streams.reduce((sum, { packetsReceived }) => sum + packetsReceived, 0);
    if (packets !== arrivals.packets) Object.assign(arrivals, { packets, atMs: performance.now() });
    return performance.now() - arrivals.atMs > LOST_MS ? "nothing arrives any more" : null;
  }
}

function nextEvent(target, event) {
  return new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
