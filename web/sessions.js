// The box of sessions: those that there are, the films that were kept of this one, and a new one.

import { call, post } from "./server.js";

export class SessionsBox {
  #box;
  #own;

  /** `own` is the session of this page. */
  constructor(box, own) {
    this.#box = box;
    this.#own = own;
    this.#at("new-cancel").addEventListener("click", () => box.close());
    this.#at("new-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
  }

  /** Throws what `call` throws, and stays closed. */
  async open() {
    const [{ sessions }, { avatars }, { archives }] = await Promise.all([
      call("/sessions"),
      call("/avatars"),
      call(`/archives?${new URLSearchParams({ session_id: this.#own })}`),
    ]);
    const others = sessions.filter(({ session_id: id }) => id !== this.#own);
    this.#list("others", others.map(session));
    this.#list("kept", archives.map(archived));
    const ready = avatars.filter(({ state }) => state === "ready");
    this.#at("new-avatar").replaceChildren(...ready.map(({ id, active }) => new Option(id, id, active, active)));
    this.#at("new-error").textContent = "";
    this.#box.showModal();
  }

  #at(id) {
    return this.#box.querySelector(`#${id}`);
  }

  #list(id, lines) {
    this.#at(id).hidden = lines.length === 0;
    this.#at(id).querySelector("ul").replaceChildren(...lines);
  }

  async #begin() {
    const chosen = {
      session_id: this.#at("new-name").value || null,
      avatar_id: this.#at("new-avatar").value,
      voice: this.#at("new-voice").value || null,
    };
    try {
      const { session_id: id } = await post("/sessions", chosen);
      location.search = new URLSearchParams({ session: id });
    } catch (error) {
      this.#at("new-error").textContent = error.message;
    }
  }
}

function session({ session_id: id, avatar_id: avatar, duration_s: durationS, state }) {
  const seconds = durationS > 0 ? `${durationS.toFixed(0)} s` : "nothing said";
  return line([link(id, `?${new URLSearchParams({ session: id })}`)], `${avatar}, ${state}, ${seconds}`);
}

function archived({ url, captions_url: captionsUrl, archived: moment, bytes }) {
  const film = link(new Date(moment).toLocaleString(), url);
  const captions = link("captions", captionsUrl);
  for (const each of [film, captions]) each.download = "";
  return line([film, captions], `${(bytes / 1e6).toFixed(1)} MB`);
}

function line(links, about) {
  const item = document.createElement("li");
  const small = document.createElement("small");
  small.textContent = about;
  item.append(...links, small);
  return item;
}

function link(text, address) {
  const anchor = document.createElement("a");
  anchor.textContent = text;
  anchor.href = address;
  return anchor;
}
