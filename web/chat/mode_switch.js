// The switch between the two uses of the page: a chat, and texts that are said exactly as typed.

const STORAGE_KEY = "mode";

export class ModeSwitch {
  #radios;
  #section;
  #switch;
  #off;
  #reason;
  #onChange;

  /**
   * `root` contains the radio buttons `mode` in `#mode`, the section `.conversation` that shows one
   * mode, and `#chat-off`, which stands in place of the buttons where there is no chat. Calls
   * `onChange(mode)` with `"chat"` or `"speak"`.
   */
  constructor(root, onChange) {
    this.#radios = new Map([...root.querySelectorAll("[name=mode]")].map((radio) => [radio.value, radio]));
    this.#section = root.querySelector(".conversation");
    this.#switch = root.querySelector("#mode");
    this.#off = root.querySelector("#chat-off");
    this.#reason = root.querySelector("#chat-off-reason");
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
    this.#allow(true);
    this.#show(wanted ?? localStorage.getItem(STORAGE_KEY) ?? "chat");
  }

  /** Says why there is no chat, and stays in the other mode. */
  refuseChat(reason) {
    this.#allow(false);
    this.#reason.textContent = reason;
    this.#show("speak");
  }

  #allow(isAllowed) {
    this.#radios.get("chat").disabled = !isAllowed;
    this.#switch.hidden = !isAllowed;
    this.#off.hidden = isAllowed;
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
