// What was said: the clips of the film, and what is still on its way there.

const KINDS = ["coming", "failed", "said"];
const SIGNS = /[^\p{L}\p{N}]/gu;

export class Transcript {
  #list;
  #clips = [];
  /** The line of each clip. */
  #lines = [];
  /** What was sent and is not in the film yet, in order. */
  #coming = new Set();
  #heard = null;

  constructor(list) {
    this.#list = list;
  }

  /** The number of the last clip that is known: who asks from there on can tell an old film. */
  get last() {
    return Math.max(0, this.#clips.length - 1);
  }

  /**
   * Takes the film's clips from number `first` on; false, and nothing is taken, where they do not
   * go on from what is known: the film is another one, and its clips are wanted from 0 on.
   */
  take(first, clips) {
    if (first === 0 && !isSame(clips[0], this.#clips[0])) this.#forget();
    const known = this.#clips.slice(first);
    if (!known.every((clip, at) => isSame(clip, clips[at]))) {
      if (first > 0) return false;
      this.#forget();
      return this.take(0, clips);
    }
    clips.slice(known.length).forEach((clip) => this.#write(clip));
    return true;
  }

  /**
   * Adds a text that is not in the film yet. `tell` and `fail` say how it goes; its line becomes
   * the clip's when that is in the film, and `onClip` is called with it. `end` takes the line away
   * where there is no clip, and `giveBack` does as soon as it is known that none comes.
   */
  add(text, onClip) {
    const line = item(text, "waiting", "coming");
    const coming = { letters: lettersOf(text), line, onClip, isBack: false };
    this.#coming.add(coming);
    this.#list.append(line);
    this.#follow();
    return {
      tell: (note) => this.#coming.has(coming) && change(line, note, "coming"),
      fail: (note) => this.#coming.has(coming) && change(line, note, "failed"),
      giveBack: () => (coming.isBack = true),
      end: () => this.#end(coming),
    };
  }

  /** Nothing is being said: what was given back and is not in the film will not be there. */
  settle() {
    for (const coming of this.#coming) if (coming.isBack) this.#end(coming);
  }

  /** Marks what is heard at `timeS` of the film; null marks nothing. */
  mark(timeS) {
    const heard = timeS === null ? null : this.#at(timeS);
    if (heard === this.#heard) return;
    this.#heard?.classList.remove("heard");
    heard?.classList.add("heard");
    this.#heard = heard;
  }

  /** The line of a clip; behind the last one that is known, of the text that is being said. */
  #at(timeS) {
    const at = this.#clips.findLastIndex((clip) => clip.start_s <= timeS);
    const clip = this.#clips[at];
    const isBehind = !clip || timeS >= clip.start_s + clip.duration_s;
    const coming = isBehind ? this.#list.querySelector(".coming") : null;
    return coming ?? this.#lines[at] ?? null;
  }

  #write(clip) {
    const coming = this.#comingOf(clip);
    const line = coming?.line ?? item("", "", "said");
    line.firstElementChild.textContent = clip.text;
    const seconds = `${clip.duration_s.toFixed(1)} s`;
    change(line, clip.whole ? seconds : `broken off after ${seconds}`, "said");
    line.classList.toggle("broken", !clip.whole);
    if (coming) this.#coming.delete(coming);
    else this.#list.insertBefore(line, this.#list.querySelector(".coming"));
    this.#clips.push(clip);
    this.#lines.push(line);
    this.#follow();
    coming?.onClip(clip);
  }

  /** Clips are in the order in which their texts were sent; one that was lost may be said again. */
  #comingOf(clip) {
    const letters = lettersOf(clip.text);
    return [...this.#coming].find((coming) => coming.letters === letters);
  }

  /** Forgets what was said, and what failed. */
  clear() {
    this.#forget();
  }

  /** Another film: what failed with the one before is forgotten, too. */
  #forget() {
    this.#lines.forEach((line) => line.remove());
    [this.#clips, this.#lines] = [[], []];
    for (const coming of this.#coming) {
      if (coming.line.classList.contains("failed")) this.#end(coming);
    }
  }

  #end(coming) {
    if (this.#coming.delete(coming)) coming.line.remove();
  }

  #follow() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }
}

function isSame(clip, other) {
  return clip?.start_s === other?.start_s && clip?.text === other?.text;
}

/** A text by what is said of it: the server leaves out what no voice can say. */
function lettersOf(text) {
  return text.replace(SIGNS, "");
}

function change(line, note, kind) {
  line.classList.remove(...KINDS);
  line.classList.add(kind);
  line.lastElementChild.textContent = note;
}

function item(text, note, kind) {
  const line = document.createElement("li");
  line.className = kind;
  const words = document.createElement("p");
  words.textContent = text;
  const about = document.createElement("small");
  about.textContent = note;
  line.append(words, about);
  return line;
}
