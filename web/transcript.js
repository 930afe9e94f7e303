// What was said: the clips of the film, and what is still on its way there.

export class Transcript {
  #list;
  #clips = [];
  #onTheWay = new Set();

  constructor(list) {
    this.#list = list;
  }

  /** The film's clips, as `GET /session` tells them. */
  setClips(clips) {
    const same = clips.length === this.#clips.length && clips.at(-1)?.start_s === this.#clips.at(-1)?.start_s;
    this.#clips = clips;
    if (!same) this.#draw();
  }

  /** Adds a text that is not in the film yet; `tell` and `fail` say how it goes, `end` takes it out. */
  add(text) {
    const entry = { text, note: "waiting", failed: false };
    this.#onTheWay.add(entry);
    this.#draw();
    return {
      tell: (note) => this.#change(entry, { note }),
      fail: (note) => this.#change(entry, { note, failed: true }),
      end: () => {
        this.#onTheWay.delete(entry);
        this.#draw();
      },
    };
  }

  /** Forgets what failed and what was said. */
  clear() {
    this.#onTheWay.clear();
    this.setClips([]);
  }

  /** Marks the clip that is heard at `timeS` of the film; null marks none. */
  mark(timeS) {
    this.#clips.forEach((clip, at) => {
      const heard = timeS !== null && timeS >= clip.start_s && timeS < clip.start_s + clip.duration_s;
      this.#list.children[at]?.classList.toggle("heard", heard);
    });
  }

  #change(entry, news) {
    Object.assign(entry, news);
    this.#draw();
  }

  #draw() {
    const said = this.#clips.map((clip) => item(clip.text, `${clip.duration_s.toFixed(1)} s`));
    const coming = [...this.#onTheWay].map(({ text, note, failed }) =>
      item(text, note, failed ? "failed" : "coming"),
    );
    this.#list.replaceChildren(...said, ...coming);
    this.#list.lastElementChild?.scrollIntoView({ block: "nearest" });
  }
}

function item(text, note, kind = "said") {
  const line = document.createElement("li");
  line.className = kind;
  const words = document.createElement("p");
  words.textContent = text;
  const about = document.createElement("small");
  about.textContent = note;
  line.append(words, about);
  return line;
}
