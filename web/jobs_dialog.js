// The jobs dialog: orders films, and lists the jobs with their progress and results.

import { confirmOnClick } from "./confirm_button.js";
import { createButton, createItem, createLink, createText } from "./list_items.js";
import { call, post, send, upload } from "./server.js";

const POLL_MS = 1000;
const MAX_SHOWN = 50;

export class JobsDialog {
  #dialog;
  /** List items by job: only their changing parts are replaced, so that a playing film continues. */
  #items = new Map();

  constructor(dialog) {
    this.#dialog = dialog;
    this.#find("jobs-close").addEventListener("click", () => dialog.close());
    this.#find("film-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#report(() => this.#order());
    });
    dialog.addEventListener("close", () => this.#forget());
  }

  /** Loads the list and opens the dialog; stays closed and throws if a request fails. */
  async open() {
    const { avatars } = await call("avatars");
    const ready = avatars.filter(({ state }) => state === "ready");
    this.#find("film-face").replaceChildren(
      ...ready.map(({ id, active }) => new Option(id, id, active, active)),
    );
    await this.#showJobs();
    this.#showError("");
    this.#dialog.showModal();
    this.#poll();
  }

  #find(id) {
    return this.#dialog.querySelector(`#${id}`);
  }

  async #poll() {
    while (this.#dialog.open) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      if (this.#dialog.open) await this.#report(() => this.#showJobs());
    }
  }

  async #order() {
    const [recording] = this.#find("film-recording").files;
    const text = this.#find("film-text").value;
    const speech = recording ? { recording: await this.#send(recording) } : { text: { text } };
    const options = { result_format: this.#find("film-format").value };
    await post("films", { avatar_id: this.#find("film-face").value, ...speech, options });
    this.#find("film-form").reset();
    await this.#showJobs();
  }

  /** Uploads a recording and returns its id. */
  async #send(recording) {
    const form = new FormData();
    form.append("file", recording, recording.name);
    const { id } = await upload("uploads", form, () => {});
    return id;
  }

  async #showJobs() {
    const { jobs } = await call(`jobs?${new URLSearchParams({ limit: MAX_SHOWN })}`);
    this.#find("jobs-empty").hidden = jobs.length > 0;
    const items = jobs.map((job) => this.#itemOf(job));
    const ids = new Set(jobs.map(({ id }) => id));
    for (const id of this.#items.keys()) if (!ids.has(id)) this.#remove(id);
    const list = this.#find("job-list");
    items.forEach((item, index) => {
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
  }

  #itemOf(job) {
    const known = this.#items.get(job.id);
    if (known) return known.update(job), known.element;
    const item = new JobItem(job, {
      onCancel: () => this.#report(() => send("POST", `jobs/${job.id}/cancel`)),
      onDelete: () => this.#report(() => this.#delete(job.id)),
    });
    this.#items.set(job.id, item);
    return item.element;
  }

  async #delete(id) {
    await send("DELETE", `jobs/${id}`);
    await this.#showJobs();
  }

  #remove(id) {
    this.#items.get(id).element.remove();
    this.#items.delete(id);
  }

  #forget() {
    for (const id of [...this.#items.keys()]) this.#remove(id);
  }

  async #report(action) {
    this.#showError("");
    try {
      await action();
    } catch (error) {
      this.#showError(error.message);
    }
  }

  #showError(message) {
    if (this.#find("jobs-error").textContent !== message) this.#find("jobs-error").textContent = message;
  }
}

class JobItem {
  #words = document.createElement("div");
  #bar = document.createElement("progress");
  #actions = document.createElement("div");
  #video = null;
  #state = null;
  #handlers;

  constructor(job, handlers) {
    this.#handlers = handlers;
    this.#actions.className = "actions";
    this.element = createItem("job", this.#words, this.#bar, this.#actions);
    this.update(job);
  }

  update(job) {
    this.#words.replaceChildren(createText(titleOf(job), notesOf(job)));
    this.#bar.hidden = job.state !== "running";
    this.#bar.value = job.progress;
    if (job.state === this.#state) return;
    this.#state = job.state;
    this.#actions.replaceChildren(...this.#actionsFor(job));
  }

  #actionsFor(job) {
    if (job.state === "queued" || job.state === "running") {
      return [createButton("Cancel", this.#handlers.onCancel)];
    }
    const remove = createButton("Delete");
    confirmOnClick(remove, this.#handlers.onDelete);
    if (!job.result_url) return [remove];
    const download = createLink("Download", job.result_url);
    download.download = "";
    return [createButton("Play", () => this.#play(job.result_url)), download, remove];
  }

  #play(url) {
    if (this.#video === null) {
      this.#video = document.createElement("video");
      this.#video.controls = true;
      this.#video.src = url;
      this.element.append(this.#video);
    }
    this.#video.play();
  }
}

function titleOf({ kind, created_at: createdAt }) {
  return `${kind === "film" ? "Film" : "Face"}, ${new Date(createdAt).toLocaleString()}`;
}

function notesOf({ state, stage, progress, error, result, expired }) {
  if (state === "running") return [`${stage}, ${Math.round(100 * progress)} %`];
  if (state === "error") return [error.description];
  if (expired) return ["done; the film has expired"];
  if (state === "done" && result?.duration_s) return [`${result.duration_s.toFixed(1)} s of film`];
  return [state];
}
