// Captions over the video, read from the session's WebVTT file as it grows.

const STORAGE_KEY = "captions";
const MIN_INTERVAL_MS = 300;
const TIMING = /^(\d+):(\d+):([\d.]+) --> (\d+):(\d+):([\d.]+)/;

export class Captions {
  #track;
  #line;
  #button;
  #url;
  #isReading = false;
  #hasGrown = false;
  /** Byte offset of the last cue in the WebVTT file: that cue may have been extended since. */
  #offset = 0;
  /** What is heard in the live stream; null while the film is played. */
  #live = null;

  /** `url` is the WebVTT file of the film. */
  constructor(video, { line, button, url }) {
    this.#track = video.addTextTrack("captions", "Captions");
    this.#track.mode = "hidden"; // drawn by the page, because the canvas covers the video's own captions
    this.#line = line;
    this.#button = button;
    this.#url = url;
    this.#track.addEventListener("cuechange", () => this.#show());
    button.addEventListener("click", () => this.#setOn(!this.isOn));
    this.#setOn(localStorage.getItem(STORAGE_KEY) === "on");
  }

  get isOn() {
    return this.#button.getAttribute("aria-pressed") === "true";
  }

  /** Reads the captions of what was appended to the film. */
  async update() {
    this.#hasGrown = true;
    if (!this.isOn || this.#isReading) return;
    this.#isReading = true;
    while (this.#hasGrown) {
      this.#hasGrown = false;
      await this.#read();
      await new Promise((resolve) => setTimeout(resolve, MIN_INTERVAL_MS));
    }
    this.#isReading = false;
  }

  /** Removes the captions of a film that has ended. */
  clear() {
    for (const cue of [...this.#track.cues]) this.#track.removeCue(cue);
    this.#offset = 0;
    this.#show();
  }

  /** Shows what is heard in a live stream, in place of the film's captions; null ends that. */
  showLive(text) {
    if (text === this.#live) return;
    this.#live = text;
    this.#show();
  }

  #setOn(isOn) {
    this.#button.setAttribute("aria-pressed", String(isOn));
    localStorage.setItem(STORAGE_KEY, isOn ? "on" : "off");
    this.#show();
    this.update();
  }

  async #read() {
    const headers = this.#offset > 0 ? { range: `bytes=${this.#offset}-` } : {};
    const response = await fetch(this.#url, { headers, cache: "no-store" }).catch(() => null);
    const text = response?.ok ? await response.text().catch(() => null) : null;
    if (text === null) return; // no captions yet, or no connection; read again when the film grows
    const start = response.status === 206 ? this.#offset : 0;
    parseCues(text).forEach((cue) => this.#put(cue));
    const lastBreak = text.trimEnd().lastIndexOf("\n\n");
    const lastCue = lastBreak < 0 ? 0 : lastBreak + 2; // a part without a break is one cue
    this.#offset = start + new TextEncoder().encode(text.slice(0, lastCue)).length;
  }

  /** Appends a cue, or extends the last one if it is the same. */
  #put(cue) {
    const last = this.#track.cues[this.#track.cues.length - 1];
    if (last === undefined || cue.startTime > last.startTime) this.#track.addCue(cue);
    else if (cue.startTime === last.startTime) last.endTime = cue.endTime;
  }

  #show() {
    const cues = [...(this.#track.activeCues ?? [])];
    const heard = this.#live ?? cues.map((cue) => cue.getCueAsHTML().textContent).join("\n");
    const text = this.isOn ? heard : "";
    if (this.#line.textContent !== text) this.#line.textContent = text; // screen readers announce changes
  }
}

/** Parses the cues in a part of a WebVTT file. */
function parseCues(text) {
  return text.split("\n\n").flatMap((block) => {
    const lines = block.split("\n");
    const timing = lines.findIndex((line) => TIMING.test(line));
    if (timing < 0) return [];
    const [h, m, s, endH, endM, endS] = TIMING.exec(lines[timing]).slice(1).map(Number);
    const content = lines.slice(timing + 1).join("\n").trim();
    return [new VTTCue(3600 * h + 60 * m + s, 3600 * endH + 60 * endM + endS, content)];
  });
}
