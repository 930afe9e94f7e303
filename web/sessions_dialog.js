// The sessions dialog: other sessions, archived films of this one, and a form for a new session.

import { queryOfSession } from "./options.js";
import { call, post } from "./server.js";

export class SessionsDialog {
  #dialog;
  #sessionId;

  /** `sessionId` is the session of this page. */
  constructor(dialog, sessionId) {
    this.#dialog = dialog;
    this.#sessionId = sessionId;
    this.#find("new-cancel").addEventListener("click", () => dialog.close());
    this.#find("new-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#create();
    });
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Loads the lists and opens the dialog; stays closed and throws if a request fails. */
  async open() {
    const [{ sessions }, { avatars }, { archives }] = await Promise.all([
      call("sessions"),
      call("avatars"),
      call(`archives?${new URLSearchParams({ session_id: this.#sessionId })}`),
    ]);
    const others = sessions.filter(({ session_id: id }) => id !== this.#sessionId);
    this.#showList("other-sessions", others.map(sessionItem));
    this.#showList("archives", archives.map(archiveItem));
    this.#find("new-avatar").replaceChildren(...avatarOptions(avatars));
    this.#find("new-error").textContent = "";
    this.#dialog.showModal();
  }

  #find(id) {
    return this.#dialog.querySelector(`#${id}`);
  }

  #showList(id, items) {
    this.#find(id).hidden = items.length === 0;
    this.#find(id).querySelector("ul").replaceChildren(...items);
  }

  /** Creates the session of the form and opens it in this page. */
  async #create() {
    const request = {
      session_id: this.#find("new-name").value || null,
      avatar_id: this.#find("new-avatar").value,
      voice: this.#find("new-voice").value || null,
    };
    try {
      const { session_id: id } = await post("sessions", request);
      location.search = queryOfSession(id, location.search);
    } catch (error) {
      this.#find("new-error").textContent = error.message;
    }
  }
}

function avatarOptions(avatars) {
  const ready = avatars.filter(({ state }) => state === "ready");
  return ready.map(({ id, active }) => new Option(id, id, active, active));
}

function sessionItem({ session_id: id, avatar_id: avatar, duration_s: durationS, state }) {
  const length = durationS > 0 ? `${durationS.toFixed(0)} s` : "empty";
  return createItem([link(id, queryOfSession(id, location.search))], `${avatar}, ${state}, ${length}`);
}

function archiveItem({ session_id: id, name, archived, bytes }) {
  const url = `archives/${id}/${name}`;
  const captionsUrl = url.replace(/\.mp4$/, ".vtt");
  const links = [link(new Date(archived).toLocaleString(), url), link("captions", captionsUrl)];
  for (const one of links) one.download = "";
  return createItem(links, `${(bytes / 1e6).toFixed(1)} MB`);
}

function createItem(links, note) {
  const item = document.createElement("li");
  const small = document.createElement("small");
  small.textContent = note;
  item.append(...links, small);
  return item;
}

function link(text, url) {
  const anchor = document.createElement("a");
  anchor.textContent = text;
  anchor.href = url;
  return anchor;
}
