// The sentences of the answers, and the times of the film at which they are heard.

import { positionAfter } from "./text_positions.js";

/** The last sentence of an answer is over when the film is over; this bounds it if its end is unknown. */
const LONGEST_S = 60;

export class SpokenSentences {
  /** `{view, index, start, end, startS, endS}`: `start` and `end` are positions in the answer. */
  #sentences = [];

  /** Adds a sentence of the server, or what has become known of it since. */
  add(view, { index, start, end, start_s: startS = null, end_s: endS = null }) {
    const known = this.#sentences.find((one) => one.view === view && one.index === index);
    const { reply } = view.answer;
    const place = { start: positionAfter(reply, start), end: positionAfter(reply, end) };
    const sentence = { view, index, ...place, startS, endS };
    if (known) Object.assign(known, sentence);
    else this.#sentences.push(sentence);
  }

  /** The sentence that is heard at a time of the film; null if there is none. */
  at(timeS) {
    const timed = this.#sentences.filter(({ startS }) => startS !== null);
    const sentence = timed.findLast(({ startS }) => startS <= timeS);
    if (!sentence) return null;
    const next = timed[timed.indexOf(sentence) + 1];
    const endS = sentence.endS ?? next?.startS ?? sentence.startS + LONGEST_S;
    return timeS < endS ? sentence : null;
  }

  /** The last two sentences that have begun before a time of the film. */
  textBefore(timeS) {
    const begun = this.#sentences.filter(({ startS }) => startS !== null && startS <= timeS);
    return begun.slice(-2).map(({ view, start, end }) => view.answer.reply.slice(start, end)).join(" ");
  }

  /** Where the part of an answer begins that starts after a time of the film; null if nothing does. */
  unsaidAfter(view, timeS) {
    const later = this.#sentences.filter((one) => one.view === view && (one.startS === null || one.startS > timeS));
    return later.length > 0 ? Math.min(...later.map(({ start }) => start)) : null;
  }

  /** Forgets everything: another film has begun. */
  clear() {
    this.#sentences = [];
  }
}
