// The faces dialog: makes a face from a photo or video, and lists the faces that exist.

import { confirmOnClick } from "./confirm_button.js";
import { acceptDrops } from "./drop_zone.js";
import { createButton, createItem, createText } from "./list_items.js";
import { queryOfSession } from "./options.js";
import { call, post, send, upload } from "./server.js";

const POLL_MS = 500;
const NOT_IN_NAMES = /[^A-Za-z0-9_-]+/g;
const ENDED = ["done", "error", "cancelled"];

export class FacesDialog {
  #dialog;
  #file = null;
  /** Number of the preparation that is shown; an older one is no longer followed. */
  #followed = 0;
  #job = null;

  constructor(dialog) {
    this.#dialog = dialog;
    const field = this.#find("face-file");
    field.addEventListener("change", () => this.#choose(field.files[0] ?? null));
    acceptDrops(this.#find("face-drop"), (file) => this.#choose(file));
    this.#find("faces-close").addEventListener("click", () => dialog.close());
    this.#find("face-cancel").addEventListener("click", () => this.#report(() => this.#cancel()));
    this.#find("face-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#report(() => this.#prepare());
    });
  }

  /** Loads the list and opens the dialog; stays closed and throws if the request fails. */
  async open() {
    await this.#showFaces();
    this.#showError("");
    this.#dialog.showModal();
    if (this.#job === null) this.#report(() => this.#followUnfinished());
  }

  #find(id) {
    return this.#dialog.querySelector(`#${id}`);
  }

  #choose(file) {
    this.#file = file;
    this.#find("face-file-name").textContent = file?.name ?? "";
    this.#find("face-prepare").disabled = file === null;
    if (file) this.#find("face-name").value = nameOf(file.name);
  }

  async #prepare() {
    const form = new FormData();
    form.append("avatar_id", this.#find("face-name").value || nameOf(this.#file.name));
    form.append("video_file", this.#file, this.#file.name);
    const onSent = (share) => this.#showPreparation({ stage: "sending the file", progress: share / 10 });
    onSent(0);
    await this.#showUntilEnd(() => upload("avatars/prepare", form, onSent));
  }

  /** Shows a preparation that began before the page was opened. */
  async #followUnfinished() {
    const { jobs } = await call("jobs");
    const unfinished = jobs.find(({ kind, state }) => kind === "prepare" && !ENDED.includes(state));
    if (!unfinished) return;
    const id = encodeURIComponent(unfinished.request.avatar_id);
    await this.#showUntilEnd(() => call(`avatars/${id}/preparation`));
  }

  /** Shows the preparation that `begin()` returns; throws the reason if it failed. */
  async #showUntilEnd(begin) {
    try {
      await this.#follow(await begin());
    } finally {
      this.#job = null;
      this.#find("face-progress").hidden = true;
    }
  }

  /** Shows a preparation until it ends; throws the reason if it failed. */
  async #follow(job) {
    const number = (this.#followed += 1);
    this.#job = job;
    while (!ENDED.includes(job.status) && number === this.#followed) {
      this.#showPreparation(job);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      job = await call(job.status_url);
    }
    await this.#showFaces();
    if (job.status === "error") throw new Error(job.error.description);
    if (job.status === "done") this.#choose(null);
  }

  async #cancel() {
    if (this.#job) await send("POST", `jobs/${this.#job.job_id}/cancel`);
  }

  #showPreparation({ stage, progress, preview_url: faceUrl }) {
    this.#find("face-progress").hidden = false;
    this.#find("face-stage").textContent = stage;
    this.#find("face-bar").value = progress;
    const picture = this.#find("face-seen");
    picture.hidden = !faceUrl;
    if (faceUrl && picture.getAttribute("src") !== faceUrl) picture.src = faceUrl;
  }

  async #showFaces() {
    const { avatars } = await call("avatars");
    this.#find("face-list").replaceChildren(...avatars.map((avatar) => this.#faceItem(avatar)));
  }

  #faceItem({ id, state, active, notes = [], preview_url: previewUrl }) {
    const picture = document.createElement("img");
    picture.src = previewUrl;
    picture.alt = `The face ${id}, as it was prepared`;
    picture.loading = "lazy";
    const isReady = state === "ready";
    const use = createButton("Try it", () => this.#report(() => this.#try(id)));
    use.disabled = !isReady;
    const remove = createButton("Delete");
    remove.disabled = active;
    remove.title = active ? "The settings use this face" : "";
    confirmOnClick(remove, () => this.#report(() => this.#delete(id)));
    const facts = [active ? "the face in the settings" : "", isReady ? "" : state].filter(Boolean);
    const words = createText(id, [...facts, ...notes]);
    return createItem("face", picture, words, use, remove);
  }

  /** Opens a new session with this face. */
  async #try(avatarId) {
    const { session_id: id } = await post("sessions", { avatar_id: avatarId });
    location.search = queryOfSession(id, location.search);
  }

  async #delete(id) {
    await send("DELETE", `avatars/${encodeURIComponent(id)}`);
    await this.#showFaces();
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
    this.#find("face-error").textContent = message;
  }
}

/** A name for the face of a file: letters, digits, `_` and `-`. */
function nameOf(fileName) {
  return fileName.replace(/\.[^.]*$/, "").replace(NOT_IN_NAMES, "-").slice(0, 64) || "face";
}
