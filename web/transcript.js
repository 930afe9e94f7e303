// The transcript: the clips of the film, and the texts that are not in it yet.

const FOLLOW_INTERVAL_MS = 200;
const STATES = ["pending", "failed", "spoken"];
/** Label of a clip without a text. */
const RECORDING = "Recording";
const NOT_SPOKEN = /[^\p{L}\p{N}]/gu;

export class Transcript {
  #list;
  #clips = [];
  /** The list item of each clip. */
  #items = [];
  /** Texts that were sent and are not in the film yet, in order. */
  #pending = new Set();
  #highlighted = null;

  constructor(list) {
    this.#list = list;
  }

  /** Index of the last known clip. An answer that starts with it shows whether the film is the same. */
  get lastIndex() {
    return Math.max(0, this.#clips.length - 1);
  }

  /**
   * Adds the film's clips from index `first` on. Returns false, and adds nothing, if they do not
   * continue the known ones: the film has been replaced, and its clips are needed from 0 on.
   */
  update(first, clips) {
    const known = this.#clips.slice(first);
    if (!known.every((clip, index) => isSame(clip, clips[index]))) {
      if (first > 0) return false;
      this.clear();
      return this.update(0, clips);
    }
    clips.slice(known.length).forEach((clip) => this.#addClip(clip));
    return true;
  }

  /**
   * Adds a text that is not in the film yet. Its item becomes the clip's as soon as the film has
   * it, and `onClip(clip)` is called. Until then the returned entry changes it: `report` and
   * `fail` set its note, `remove` removes it, and `markRestored` lets `discardRestored` do so.
   * `label` is shown in place of the text of a recording, whose text is not known.
   */
  add(text, onClip, label = text) {
    const item = createItem(label, "waiting", "pending");
    const pending = { key: keyOf(text), item, onClip, isRestored: false };
    this.#pending.add(pending);
    this.#list.append(item);
    this.#scrollToEnd();
    return {
      report: (note) => this.#pending.has(pending) && setState(item, note, "pending"),
      fail: (note) => this.#pending.has(pending) && setState(item, note, "failed"),
      markRestored: () => (pending.isRestored = true),
      remove: () => this.#remove(pending),
    };
  }

  /** Removes texts that were put back into the text field: nothing is speaking, so none will follow. */
  discardRestored() {
    for (const pending of this.#pending) if (pending.isRestored) this.#remove(pending);
  }

  /** Removes all clips and failed texts; texts that are still pending stay. */
  clear() {
    this.#items.forEach((item) => item.remove());
    [this.#clips, this.#items] = [[], []];
    for (const pending of this.#pending) {
      if (pending.item.classList.contains("failed")) this.#remove(pending);
    }
  }

  /** Keeps the clip highlighted that is heard at `currentTime()` of the film; null highlights none. */
  follow(currentTime) {
    setInterval(() => this.#highlight(currentTime()), FOLLOW_INTERVAL_MS);
  }

  #highlight(timeS) {
    const item = timeS === null ? null : this.#itemAt(timeS);
    if (item === this.#highlighted) return;
    this.#highlighted?.classList.remove("current");
    item?.classList.add("current");
    this.#highlighted = item;
  }

  /** The item of a clip; after the last known clip, of the text that is being spoken. */
  #itemAt(timeS) {
    const index = this.#clips.findLastIndex((clip) => clip.start_s <= timeS);
    const clip = this.#clips[index];
    const isAfter = !clip || timeS >= clip.start_s + clip.duration_s;
    const pending = isAfter ? this.#list.querySelector(".pending") : null;
    return pending ?? this.#items[index] ?? null;
  }

  #addClip(clip) {
    const pending = this.#pendingOf(clip);
    const item = pending?.item ?? createItem(RECORDING, "", "spoken");
    showClip(item, clip);
    if (pending) this.#pending.delete(pending);
    else this.#list.insertBefore(item, this.#list.querySelector(".pending"));
    this.#clips.push(clip);
    this.#items.push(item);
    this.#scrollToEnd();
    pending?.onClip(clip);
  }

  /** Clips come in the order of their texts, but a text whose answer was lost may be sent twice. */
  #pendingOf(clip) {
    const key = keyOf(clip.text);
    return [...this.#pending].find((pending) => pending.key === key);
  }

  #remove(pending) {
    if (this.#pending.delete(pending)) pending.item.remove();
  }

  #scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }
}

function isSame(clip, other) {
  return clip?.start_s === other?.start_s && clip?.text === other?.text;
}

/** A text without the characters that the server leaves out because no voice speaks them. */
function keyOf(text) {
  return text.replace(NOT_SPOKEN, "");
}

function showClip(item, { text, duration_s: durationS, whole: isWhole }) {
  if (text !== "") item.firstElementChild.textContent = text;
  const seconds = `${durationS.toFixed(1)} s`;
  setState(item, isWhole ? seconds : `interrupted after ${seconds}`, "spoken");
  item.classList.toggle("interrupted", !isWhole);
}

function setState(item, note, state) {
  item.classList.remove(...STATES);
  item.classList.add(state);
  item.lastElementChild.textContent = note;
}

function createItem(text, note, state) {
  const item = document.createElement("li");
  const words = document.createElement("p");
  const small = document.createElement("small");
  item.className = state;
  words.textContent = text;
  small.textContent = note;
  item.append(words, small);
  return item;
}
