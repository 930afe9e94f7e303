// Persona, voice and language of the chat.

import { call, put } from "../server.js";
import { languageName } from "../voices.js";

export class ChatSettings {
  #sessionId;
  #persona;
  #voice;
  #language;
  #personas = [];

  /**
   * `form` has the fields `persona`, `chat-voice` and `chat-language`. Calls `onPersona()` when
   * another persona was chosen, and `onError(error)` if the server refuses it.
   */
  constructor(sessionId, form, { onPersona, onError }) {
    this.#sessionId = sessionId;
    this.#persona = form.elements.persona;
    this.#voice = form.elements["chat-voice"];
    this.#language = form.elements["chat-language"];
    this.#persona.addEventListener("change", () => this.#choose().then(onPersona, onError));
  }

  /** Members of a request to `/chat`; null stands for the choice of the persona or the session. */
  get fields() {
    return { voice: this.#voice.value || null, language: this.#language.value || null };
  }

  /** The greeting of the persona; empty if it has none. */
  get greeting() {
    return this.#personas.find(({ id }) => id === this.#persona.value)?.greeting ?? "";
  }

  /** Fills the menus; `voices` are those of the server. */
  async fill(voices) {
    ({ personas: this.#personas } = await call("personas"));
    this.#persona.replaceChildren(...this.#personas.map(({ id, name }) => new Option(name, id)));
    const tags = [...new Set(voices.flatMap(({ languages }) => languages.map((tag) => tag.split("-")[0])))];
    const options = tags.map((tag) => new Option(languageName(tag), tag));
    options.sort((a, b) => a.text.localeCompare(b.text));
    this.#language.replaceChildren(this.#language.options[0], ...options);
  }

  /** Shows the persona that the session has. */
  showPersona(id) {
    if (document.activeElement !== this.#persona) this.#persona.value = id;
  }

  #choose() {
    const path = `sessions/${encodeURIComponent(this.#sessionId)}/persona`;
    return put(path, { persona: this.#persona.value });
  }
}
