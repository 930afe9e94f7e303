// What was said: the clips of the film, and what is still on its way there.

export class Transcript {
  #list;
  #clips = [];
  /** The lines of texts that are not in the film yet. */
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

  /** Adds a text that is not in the film yet; `tell` and `fail` say how it goes, `end` takes it out. */
  add(text) {
    const line = item(text, "waiting", "coming");
    this.#coming.add(line);
    this.#list.append(line);
    this.#follow();
    return {
      tell: (note) => change(line, note, "coming"),
      fail: (note) => change(line, note, "failed"),
      end: () => this.#drop(line),
    };
  }

  /** Forgets what failed and what was said. */
  clear() {
    for (const line of this.#coming) this.#drop(line);
    this.#forget();
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
    return coming ?? this.#list.children[at] ?? null;
  }

  #write(clip) {
    const line = item(clip.text, `${clip.duration_s.toFixed(1)} s`, "said");
    this.#list.insertBefore(line, this.#list.children[this.#clips.length] ?? null);
    this.#clips.push(clip);
    this.#follow();
  }

  #drop(line) {
    this.#coming.delete(line);
    line.remove();
  }

  #forget() {
    this.#clips = [];
    this.#list.replaceChildren(...this.#coming);
  }

  #follow() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }
}

function isSame(clip, other) {
  return clip?.start_s === other?.start_s && clip?.text === other?.text;
}

function change(line, note, kind) {
  line.classList.remove("coming", "failed");
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
