// Decides from frame to frame when a person begins to speak, pauses, and has finished.

import { FRAME_SAMPLES, RATE_HZ } from "./silero.js";

const FRAME_MS = (1000 * FRAME_SAMPLES) / RATE_HZ;
/** Probability from which a frame is speech, and from which speech continues. */
const BEGIN = 0.5;
const CONTINUE = 0.35;
/** Frames of speech in succession that are a first sign of it: 64 ms. */
const SIGN_FRAMES = 2;
/** Frames of speech from which it is a person, not a cough or a click. */
const PERSON_FRAMES = frames(220);
/** Without speech for this long, a sign was a false alarm. */
const FALSE_ALARM_FRAMES = frames(250);
/** Pause after which a text may be tried, and after which the person has finished. */
const PAUSE_FRAMES = frames(190);
const END_FRAMES = frames(500);
/** Sound before the first sign that belongs to the utterance. */
const BEFORE_FRAMES = frames(400);
const MAX_FRAMES = frames(30_000);
/** Frames this much louder than any echo are proof without waiting until echoes have faded. */
const CLEAR_DB = 12;
const CLEAR_FRAMES = 4;
/** Reverberation after the longest delay of an echo. */
const FADE_FRAMES = frames(120);
/** Speech after the echoes have faded. */
const PROOF_FRAMES = 3;
/** Frames of speech from which a short sound may be a word: its text tells. */
const WORD_FRAMES = 4;
/** Of these, frames much louder than any echo that prove that it is none. */
const CLEAR_WORD_FRAMES = 3;

/**
 * Returns events as `{type, ...}`: `sign` (somebody may be speaking), then `false-alarm`,
 * `person`, or `word`: something short with its `frames`, which `isClear` if it is louder than any
 * echo. After `person` follow `pause` with the `frames` so far, `resumed`, and `end` with the `frames`.
 */
export class TurnDetector {
  #state = "quiet";
  /** The sound of the utterance, or before it. */
  #frames = [];
  #speechFrames = 0;
  /** Frames of speech of anybody since the speech began, the face's included. */
  #voiceFrames = 0;
  #quietFrames = 0;
  #proofFrames = 0;
  #clearFrames = 0;
  /** Frames since an echo could be heard. */
  #fadedFrames = FADE_FRAMES + 1;

  get isQuiet() {
    return this.#state === "quiet";
  }

  /**
   * The next frame: its probability of speech, the verdict of the echo gate, and whether something
   * that the page has played may still be heard.
   */
  next(frame, probability, { isNear, excessDb }, isPlaying) {
    this.#frames.push(frame);
    const isVoice = probability >= (this.#state === "quiet" ? BEGIN : CONTINUE);
    const isSpeech = isNear && isVoice;
    this.#voiceFrames += isVoice ? 1 : 0;
    this.#speechFrames += isSpeech ? 1 : 0;
    this.#quietFrames = isSpeech || (isVoice && this.#state === "sign") ? 0 : this.#quietFrames + 1;
    this.#fadedFrames = isPlaying ? 0 : this.#fadedFrames + 1;
    this.#clearFrames += isSpeech && excessDb > CLEAR_DB ? 1 : 0;
    if (this.#state === "quiet") return this.#whileQuiet(isSpeech);
    if (this.#state === "sign") return this.#afterSign(isSpeech);
    return this.#whileSpeaking();
  }

  #whileQuiet(isSpeech) {
    if (this.#frames.length > BEFORE_FRAMES) this.#frames.shift();
    if (!isSpeech) [this.#speechFrames, this.#clearFrames, this.#voiceFrames] = [0, 0, 0];
    if (this.#speechFrames < SIGN_FRAMES) return [];
    this.#state = "sign";
    this.#proofFrames = this.#fadedFrames > FADE_FRAMES ? PROOF_FRAMES : 0;
    return [{ type: "sign" }];
  }

  #afterSign(isSpeech) {
    const isTooLong = this.#frames.length >= MAX_FRAMES;
    if (this.#quietFrames >= FALSE_ALARM_FRAMES || isTooLong) return this.#withdraw();
    if (isSpeech && this.#fadedFrames > FADE_FRAMES) this.#proofFrames += 1;
    const isProven = this.#clearFrames >= CLEAR_FRAMES || this.#proofFrames >= PROOF_FRAMES;
    if (this.#speechFrames < PERSON_FRAMES || !isProven) return [];
    this.#state = "speaking";
    return [{ type: "person" }];
  }

  #withdraw() {
    const isWord = this.#voiceFrames >= WORD_FRAMES;
    const isClear = this.#clearFrames >= CLEAR_WORD_FRAMES || this.#proofFrames >= PROOF_FRAMES;
    const event = isWord ? { type: "word", frames: this.#frames, isClear } : { type: "false-alarm" };
    this.#state = "quiet";
    this.#frames = this.#frames.slice(-BEFORE_FRAMES);
    this.#count();
    return [event];
  }

  #whileSpeaking() {
    if (this.#state === "pause" && this.#quietFrames === 0) {
      this.#state = "speaking";
      return [{ type: "resumed" }];
    }
    if (this.#quietFrames >= END_FRAMES || this.#frames.length >= MAX_FRAMES) return this.#finish();
    if (this.#state === "pause" || this.#quietFrames < PAUSE_FRAMES) return [];
    this.#state = "pause";
    return [{ type: "pause", frames: [...this.#frames] }];
  }

  /** The utterance ends where the pause began to count, so that its text is that of the pause. */
  #finish() {
    const excess = Math.max(0, this.#quietFrames - PAUSE_FRAMES);
    const whole = this.#frames.slice(0, this.#frames.length - excess);
    this.#frames = this.#frames.slice(-BEFORE_FRAMES);
    this.#state = "quiet";
    this.#count();
    return [{ type: "end", frames: whole }];
  }

  #count() {
    [this.#speechFrames, this.#quietFrames, this.#clearFrames, this.#voiceFrames] = [0, 0, 0, 0];
  }
}

function frames(ms) {
  return Math.round(ms / FRAME_MS);
}
