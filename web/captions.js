// What is being said, in words, over the picture.

const KEPT = "captions";
const LEAST_WAIT_MS = 300;
const TIMES = /^(\d+):(\d+):([\d.]+) --> (\d+):(\d+):([\d.]+)/;

export class Captions {
  #track;
  #line;
  #button;
  #url;
  #isReading = false;
  #hasGrown = false;
  /** Byte of the transcript file at which its last cue begins: that one may have grown. */
  #place = 0;

  /** `url` is the transcript of the film as WebVTT. */
  constructor(video, line, button, url) {
    this.#track = video.addTextTrack("captions", "What is said");
    this.#track.mode = "hidden"; // drawn by us: over the hand-over too, and alike everywhere
    this.#line = line;
    this.#button = button;
    this.#url = url;
    this.#track.addEventListener("cuechange", () => this.#show());
    button.addEventListener("click", () => this.#choose(!this.areOn));
    this.#choose(localStorage.getItem(KEPT) === "on");
  }

  get areOn() {
    return this.#button.getAttribute("aria-pressed") === "true";
  }

  /** The film has grown: read what the transcript says of that. */
  async grow() {
    this.#hasGrown = true;
    if (!this.areOn || this.#isReading) return;
    this.#isReading = true;
    while (this.#hasGrown) {
      this.#hasGrown = false;
      await this.#read();
      await new Promise((resolve) => setTimeout(resolve, LEAST_WAIT_MS));
    }
    this.#isReading = false;
  }

  /** Another film begins. */
  clear() {
    for (const cue of [...this.#track.cues]) this.#track.removeCue(cue);
    this.#place = 0;
    this.#show();
  }

  #choose(on) {
    this.#button.setAttribute("aria-pressed", String(on));
    localStorage.setItem(KEPT, on ? "on" : "off");
    this.#show();
    this.grow();
  }

  async #read() {
    const headers = this.#place > 0 ? { range: `bytes=${this.#place}-` } : {};
    const response = await fetch(this.#url, { headers, cache: "no-store" }).catch(() => null);
    if (!response?.ok) return; // nothing is said yet, or the server is away: asked again as it grows
    const begins = response.status === 206 ? this.#place : 0;
    const text = await response.text();
    cuesOf(text).forEach((cue) => this.#put(cue));
    const last = text.trimEnd().lastIndexOf("\n\n") + 2;
    this.#place = begins + new TextEncoder().encode(text.slice(0, last)).length;
  }

  /** Adds a cue behind the others; the last one may come again, longer. */
  #put(cue) {
    const last = this.#track.cues[this.#track.cues.length - 1];
    if (last === undefined || cue.startTime > last.startTime) this.#track.addCue(cue);
    else if (cue.startTime === last.startTime) last.endTime = cue.endTime;
  }

  #show() {
    const cues = this.areOn ? [...(this.#track.activeCues ?? [])] : [];
    const words = cues.map((cue) => cue.getCueAsHTML().textContent).join("\n");
    if (this.#line.textContent !== words) this.#line.textContent = words; // screen readers read it out
  }
}

/** The cues in a piece of a WebVTT file. */
function cuesOf(text) {
  return text.split("\n\n").flatMap((block) => {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => TIMES.test(line));
    if (at < 0) return [];
    const [h, m, s, toH, toM, toS] = TIMES.exec(lines[at]).slice(1).map(Number);
    const words = lines.slice(at + 1).join("\n").trim();
    return [new VTTCue(3600 * h + 60 * m + s, 3600 * toH + 60 * toM + toS, words)];
  });
}
