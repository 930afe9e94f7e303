// The language model: which one answers, its state, and fetching it.

import { call, post } from "../server.js";

const INTERVAL_MS = 1000;
const CHANGING = ["fetching", "loading"];
const NO_CHAT = "This server has no chat.";

export class ModelPanel {
  #root;
  #state = null;
  #timer = null;

  /** `root` contains the elements `#model-…`. */
  constructor(root) {
    this.#root = root;
    this.#find("prepare").addEventListener("click", () => this.#prepare());
    this.#find("retry").addEventListener("click", () => this.refresh());
  }

  /** Resolves to the reason why this server has no chat; null if it has one. */
  async findOff() {
    try {
      const state = await this.#fetch();
      return state.kind === "none" ? state.detail : null;
    } catch (error) {
      if (error.status === 404) return NO_CHAT;
      throw error;
    }
  }

  /** Has a model loaded that is on the server's disk, so that the first answer comes sooner. */
  async warmUp() {
    if (this.#state.phase !== "unloaded") return;
    await post("chat/model/prepare", {}).catch(() => {}); // the first message reports the reason
    await this.refresh();
  }

  /** Returns false, and leads the user to the button that fetches it, while there is no model. */
  isPresent() {
    const isAbsent = this.#state?.phase === "absent";
    if (isAbsent) this.#find("prepare").focus();
    return !isAbsent;
  }

  /** Asks for the state now, and again while it is changing. */
  async refresh() {
    clearTimeout(this.#timer);
    try {
      await this.#fetch();
    } catch {
      return; // the status line says that the server is not reachable
    }
    if (CHANGING.includes(this.#state.phase)) this.#timer = setTimeout(() => this.refresh(), INTERVAL_MS);
  }

  async #fetch() {
    this.#show(await call("chat/model"));
    return this.#state;
  }

  async #prepare() {
    this.#find("prepare").disabled = true;
    try {
      await post("chat/model/prepare", {});
    } catch (error) {
      this.#setLine(error.message);
    }
    await this.refresh();
    this.#find("prepare").disabled = false;
  }

  #show(state) {
    this.#state = state;
    const { phase, progress, kind, is_demo: isDemo } = state;
    this.#root.hidden = kind === "none";
    this.#root.dataset.phase = phase;
    this.#setLine(describe(state));
    this.#find("bar").hidden = !CHANGING.includes(phase);
    if (progress === null) this.#find("bar").removeAttribute("value");
    else this.#find("bar").value = progress;
    this.#find("prepare").hidden = phase !== "absent";
    this.#find("retry").hidden = phase !== "unreachable";
    this.#find("actions").hidden = phase !== "absent" && phase !== "unreachable";
    this.#find("help").hidden = !isDemo && phase !== "unreachable";
  }

  /** Screen readers announce every assignment, so an unchanged text is left alone. */
  #setLine(text) {
    const line = this.#find("line");
    if (line.textContent !== text) line.textContent = text;
  }

  #find(name) {
    return this.#root.querySelector(`#model-${name}`);
  }
}

function describe({ name, phase, progress, detail, licence, is_demo: isDemo }) {
  const described = isDemo ? `${name}, a small demo model` : name;
  const percent = progress === null ? "…" : `: ${Math.round(100 * progress)} %`;
  const states = {
    absent: `${described}${licence && ` (${licence})`}.`,
    fetching: `Fetching ${name}${percent}`,
    loading: `Loading ${name}${percent}`,
    unreachable: `${name} cannot be reached.`,
  };
  const usual = isDemo ? `${described}:` : `Answers come from ${name}.`;
  const note = phase === "fetching" && detail ? `(${detail})` : detail;
  return [states[phase] ?? usual, note].filter(Boolean).join(" ");
}
