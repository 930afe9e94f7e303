// Persona, voice and language of the chat.

import { call } from "../server.js";
import { languageName } from "../voices.js";

export class ChatSettings {
  #persona;
  #voice;
  #language;
  #personas = [];

  /** `form` has the fields `persona`, `chat-voice` and `chat-language`; `onPersona()` follows a choice. */
  constructor(form, onPersona) {
    this.#persona = form.elements.persona;
    this.#voice = form.elements["chat-voice"];
    this.#language = form.elements["chat-language"];
    this.#persona.addEventListener("change", onPersona);
  }

  /** Members of a request to `/chat`; null stands for the choice of the persona or the session. */
  get fields() {
    return {
      persona: this.#persona.value || null,
      voice: this.#voice.value || null,
      language: this.#language.value || null,
    };
  }

  /** The greeting of the chosen persona; empty if it has none. */
  get greeting() {
    return this.#personas.find(({ id }) => id === this.#persona.value)?.greeting ?? "";
  }

  /** Fills the menus; `chosen` is the persona of the session, `voices` are those of the server. */
  async fill(chosen, voices) {
    ({ personas: this.#personas } = await call("personas"));
    this.#persona.replaceChildren(...this.#personas.map(({ id, name, style }) => personaOption(id, name, style)));
    if (this.#personas.some(({ id }) => id === chosen)) this.#persona.value = chosen;
    const tags = [...new Set(voices.flatMap(({ languages }) => languages.map((tag) => tag.split("-")[0])))];
    const options = tags.map((tag) => new Option(languageName(tag), tag));
    options.sort((a, b) => a.text.localeCompare(b.text));
    this.#language.replaceChildren(this.#language.options[0], ...options);
  }
}

function personaOption(id, name, style) {
  const option = new Option(name, id);
  option.title = style ?? "";
  option.dir = "auto";
  return option;
}
