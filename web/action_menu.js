// The menu of the avatar's action clips.

import { call, post } from "./server.js";

export class ActionMenu {
  #menu;
  #items;
  #sessionId;
  #onError;
  #avatarId = null;

  /** `menu` is a `<details>` with an element of the class `menu-items`. */
  constructor(menu, sessionId, onError) {
    this.#menu = menu;
    this.#items = menu.querySelector(".menu-items");
    this.#sessionId = sessionId;
    this.#onError = onError;
    menu.addEventListener("click", (event) => this.#onClick(event));
    menu.addEventListener("keydown", (event) => this.#onKey(event));
    addEventListener("click", ({ target }) => {
      if (!menu.contains(target)) menu.open = false;
    });
  }

  /** Shows the actions of the session's avatar, when that has changed. */
  async update({ avatar_id: avatarId }) {
    if (avatarId === this.#avatarId) return;
    this.#avatarId = avatarId;
    const { actions } = await call(`avatars/${encodeURIComponent(avatarId)}`).catch(() => ({ actions: [] }));
    this.#items.replaceChildren(...actions.map(({ name }) => this.#button(name)));
    this.#menu.hidden = actions.length === 0;
  }

  #button(name) {
    const button = document.createElement("button");
    button.type = "button";
    button.value = name;
    button.textContent = name.replaceAll(/[-_]/g, " ");
    return button;
  }

  #onClick({ target }) {
    if (target.tagName !== "BUTTON") return;
    this.#close();
    post("action", { session_id: this.#sessionId, name: target.value }).catch(this.#onError);
  }

  #onKey(event) {
    if (event.key !== "Escape" || !this.#menu.open) return;
    event.stopPropagation(); // it closes the menu and does not stop the speech
    this.#close();
  }

  #close() {
    this.#menu.open = false;
    this.#menu.querySelector("summary").focus();
  }
}
