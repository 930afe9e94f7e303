// Recordings to speak: from the microphone, or from an audio file.

/** Formats of MediaRecorder in order of preference; Safari has only the last. */
const FORMATS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];
const TIME_INTERVAL_MS = 250;

export class Recorder {
  #button;
  #time;
  #onRecording;
  #onError;
  #recorder = null;
  #startedMs = 0;

  /**
   * `root` contains the buttons `#record` and `#choose-recording`, the file field
   * `#recording-file` and the output `#record-time`. Calls `onRecording(blob, name)` for each
   * recording, and `onError(error)` if the microphone cannot be used.
   */
  constructor(root, { onRecording, onError }) {
    const file = root.querySelector("#recording-file");
    this.#button = root.querySelector("#record");
    this.#time = root.querySelector("#record-time");
    this.#onRecording = onRecording;
    this.#onError = onError;
    this.#button.addEventListener("click", () => this.#toggle());
    root.querySelector("#choose-recording").addEventListener("click", () => file.click());
    file.addEventListener("change", () => this.#choose(file));
    setInterval(() => this.#showTime(), TIME_INTERVAL_MS);
  }

  get isRecording() {
    return this.#recorder !== null;
  }

  #choose(field) {
    const [file] = field.files;
    field.value = ""; // so that the same file can be chosen again
    if (file) this.#onRecording(file, file.name);
  }

  async #toggle() {
    if (this.isRecording) return this.#recorder.stop();
    try {
      await this.#start();
    } catch (error) {
      this.#onError(new Error(explain(error)));
    }
  }

  async #start() {
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
    const parts = [];
    this.#recorder = new MediaRecorder(stream, { mimeType });
    this.#recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    this.#recorder.addEventListener("stop", () => this.#finish(stream, parts));
    this.#recorder.start();
    this.#startedMs = performance.now();
    this.#showState();
  }

  #finish(stream, parts) {
    for (const track of stream.getTracks()) track.stop();
    const { mimeType } = this.#recorder;
    this.#recorder = null;
    this.#showState();
    this.#onRecording(new Blob(parts, { type: mimeType }), `recording.${extension(mimeType)}`);
  }

  #showState() {
    this.#button.ariaPressed = String(this.isRecording);
    this.#button.title = this.isRecording
      ? "Stop recording, and speak it"
      : "Record speech with the microphone";
    this.#button.ariaLabel = this.#button.title;
    this.#showTime();
  }

  #showTime() {
    this.#time.hidden = !this.isRecording;
    if (!this.isRecording) return;
    this.#time.textContent = `${((performance.now() - this.#startedMs) / 1000).toFixed(0)} s`;
  }
}

function extension(mimeType) {
  return mimeType.split(";")[0].split("/")[1];
}

function explain({ name, message }) {
  if (name === "NotAllowedError") return "The browser does not allow this page to use the microphone.";
  if (name === "NotFoundError") return "No microphone was found.";
  if (name === "SecurityError") {
    return "Browsers allow the microphone only on https:// pages and on this computer (localhost).";
  }
  return `The microphone cannot be used: ${message}`;
}
