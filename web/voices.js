// The voice menus of the page.

import { call } from "./server.js";

/** Fills every `<select class="voices">` with the server's voices; keeps an option with no value. */
export async function loadVoices() {
  const { voices } = await call("voices");
  for (const select of document.querySelectorAll("select.voices")) {
    const unset = [...select.options].filter(({ value }) => value === "");
    select.replaceChildren(...unset, ...voices.map(({ id, name }) => new Option(name, id)));
  }
}
