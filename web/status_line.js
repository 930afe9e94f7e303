// The status line: the state of the server, and whether the page can reach it.

const SERVING = ["ok", "asleep", "loading", "draining"];
/** One of several servers that drains leaves its sessions to the others, and passes requests on to them. */
const READY = ["ok", "draining"];

export class StatusLine {
  #line;
  #text;
  #detail;

  constructor(line) {
    this.#line = line;
    this.#text = line.querySelector("#status-text");
    this.#detail = line.querySelector("#status-detail");
  }

  /** Shows an answer of `/health`; `isFilmLost`: the film's own connection is down. */
  showHealth(health, isFilmLost) {
    const { status, reason } = health;
    if (status === "warming") this.#show("busy", `starting: ${reason}`);
    else if (!isServing(health)) this.showError(reason ?? status);
    else if (isFilmLost) this.showError("Connection to the film lost. Reconnecting…");
    else this.#showJobs(health);
  }

  showError(message) {
    this.#show("bad", message);
  }

  #showJobs(health) {
    const { status, engine, device } = health;
    const jobs = jobCount(health);
    const detail = [engine, device].filter(Boolean).map((word) => ` · ${word}`).join("");
    if (jobs > 0) this.#show("busy", jobs === 1 ? "1 job in progress" : `${jobs} jobs in progress`, detail);
    else this.#show("good", READY.includes(status) ? "ready" : status, detail);
  }

  #show(kind, text, detail = "") {
    this.#line.className = kind;
    setText(this.#text, text);
    setText(this.#detail, detail);
  }
}

/** Returns whether the server accepts requests. */
export function isServing({ status }) {
  return SERVING.includes(status);
}

export function jobCount({ jobs_queued: queued, jobs_processing: processing }) {
  return queued + processing;
}

/** Screen readers announce every assignment, so an unchanged text is left alone. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
