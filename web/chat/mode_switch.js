// The switch between the two uses of the page: a chat, and texts that are said exactly as typed.

const STORAGE_KEY = "mode";

export class ModeSwitch {
  #radios;
  #section;
  #off;
  #onChange;

  /**
   * `root` contains the radio buttons `mode`, the section `.conversation` that shows one mode, and
   * the line `#chat-off`. Calls `onChange(mode)` with `"chat"` or `"speak"`.
   */
  constructor(root, onChange) {
    this.#radios = new Map([...root.querySelectorAll("[name=mode]")].map((radio) => [radio.value, radio]));
    this.#section = root.querySelector(".conversation");
    this.#off = root.querySelector("#chat-off");
    this.#onChange = onChange;
    for (const [mode, radio] of this.#radios) radio.addEventListener("change", () => this.#choose(mode));
  }

  get isChat() {
    return this.#section.dataset.mode === "chat";
  }

  get isChatAllowed() {
    return !this.#radios.get("chat").disabled;
  }

  /** Allows the chat, and enters the mode of the address or the one that was chosen last. */
  allowChat(wanted) {
    this.#radios.get("chat").disabled = false;
    this.#off.hidden = true;
    this.#show(wanted ?? localStorage.getItem(STORAGE_KEY) ?? "chat");
  }

  /** Says why there is no chat, and stays in the other mode. */
  refuseChat(reason) {
    this.#radios.get("chat").disabled = true;
    this.#off.textContent = reason;
    this.#off.hidden = false;
    this.#show("speak");
  }

  #choose(mode) {
    localStorage.setItem(STORAGE_KEY, mode);
    this.#show(mode);
  }

  #show(mode) {
    const shown = this.#radios.has(mode) ? mode : "chat";
    this.#radios.get(shown).checked = true;
    this.#section.dataset.mode = shown;
    this.#onChange(shown);
  }
}
