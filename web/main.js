// The page: wires the film, the idle face, the text box and the status line together.

import { Film } from "./film.js";
import { call, post, speak } from "./server.js";
import { Stage } from "./stage.js";
import { watch } from "./stream.js";
import { Transcript } from "./transcript.js";

const LOOK_MS = 3000;
const MARK_MS = 200;
const SURE_MS = 4000;

const sessionId = new URLSearchParams(location.search).get("session") ?? "default";
const at = (id) => document.getElementById(id);

const film = new Film(at("film"), () => (at("sound").hidden = false));
const stage = new Stage(at("stage"), at("film"), at("idle"), film);
const transcript = new Transcript(at("transcript"));

const leaving = new AbortController();

let connection = "waiting";

async function main() {
  listen();
  if (!Film.isPossible) return showError("This browser has no Media Source Extensions to play the film with.");
  setInterval(() => transcript.mark(stage.isSpeaking ? at("film").currentTime : null), MARK_MS);
  setInterval(look, LOOK_MS);
  await Promise.all([look(), listVoices(), play()]);
}

async function play() {
  const path = sessionId === "default" ? "/session" : `/sessions/${encodeURIComponent(sessionId)}`;
  const parts = watch(`${path}/stream`, (state) => (connection = state), leaving.signal);
  for await (const { kind, bytes } of parts) {
    await (kind === "init" ? film.begin(bytes) : film.append(bytes));
  }
}

/** Asks how the server and the session are. */
async function look() {
  try {
    showHealth(await (await fetch("/health")).json());
    showSession(await call(`/session?session_id=${encodeURIComponent(sessionId)}`));
  } catch (error) {
    showStatus("bad", error instanceof TypeError ? "The server does not answer." : error.message);
  }
}

function showHealth({ status, reason, engine, device, jobs_queued: queued, jobs_processing: busy }) {
  if (status !== "ok") return showStatus("bad", reason ?? status);
  if (connection === "lost") return showStatus("bad", "The film's connection is lost; trying again.");
  const waiting = queued + busy;
  const work = waiting === 0 ? "ready" : `${waiting} in work`;
  showStatus(waiting === 0 ? "good" : "busy", [work, engine, device].filter(Boolean).join(" · "));
}

function showSession({ avatar_id, fps, width, height, duration_s, exists, video_url, clips, idle }) {
  at("stage").style.setProperty("--ratio", width / height);
  stage.setIdle({ ...idle, fps });
  transcript.setClips(clips);
  at("length").textContent = exists ? `${clock(duration_s)} of film` : `${avatar_id} is listening`;
  at("download").hidden = !exists;
  if (exists) at("download").href = video_url;
}

async function listVoices() {
  const list = await call("/voices");
  const options = list.voices.map(({ id, name }) => new Option(name, id, id === list.default, id === list.default));
  at("voice").replaceChildren(...options);
}

/** Says what is in the box. What is refused goes back into an empty box, so that nothing is lost. */
async function say() {
  const text = at("text").value;
  at("text").value = "";
  hideError();
  const entry = transcript.add(text);
  try {
    await follow(speak({ ...request(), text }), entry);
    entry.end();
  } catch (error) {
    entry.fail("not said");
    showError(error instanceof TypeError ? "The server does not answer." : error.message);
    if (at("text").value === "") at("text").value = text;
  }
  await look();
}

function request() {
  return { session_id: sessionId, voice: at("voice").value || null, speed: Number(at("speed").value) };
}

async function follow(events, entry) {
  for await (const { event, data } of events) {
    if (event === "speech") entry.tell(`sentence ${data.sentence + 1}`);
    if (event === "fragment") entry.tell("speaking");
    if (event === "done") showTimings(data.timings);
  }
}

function showTimings({ first_fragment_s: firstS }) {
  if (firstS !== null) at("timing").textContent = `first picture after ${Math.round(firstS * 1000)} ms`;
}

async function reset() {
  hideError();
  try {
    await post("/reset", { session_id: sessionId });
    transcript.clear();
  } catch (error) {
    showError(error.message);
  }
  await look();
}

/** A button that forgets what was said asks once more, in place. */
function askTwice(button, action) {
  const words = button.textContent;
  const calm = () => {
    button.textContent = words;
    button.classList.remove("sure");
  };
  button.addEventListener("click", () => {
    const sure = button.classList.contains("sure");
    calm();
    if (sure) return action();
    button.classList.add("sure");
    button.textContent = "Really? Press again";
    setTimeout(calm, SURE_MS);
  });
}

function listen() {
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    say();
  });
  at("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    at("form").requestSubmit();
  });
  at("speed").addEventListener("input", () => (at("pace").textContent = `${at("speed").value}×`));
  at("sound").addEventListener("click", () => {
    at("film").muted = false;
    at("sound").hidden = true;
  });
  at("error-close").addEventListener("click", hideError);
  askTwice(at("reset"), reset);
  // A page kept for the back button would keep its connection, and a browser has only six to a server.
  addEventListener("pagehide", () => leaving.abort());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  addEventListener("unhandledrejection", ({ reason }) => showError(String(reason?.message ?? reason)));
}

function showError(message) {
  at("error-text").textContent = message;
  at("error").hidden = false;
}

function hideError() {
  at("error").hidden = true;
}

function showStatus(kind, text) {
  at("status").className = kind;
  if (at("status-text").textContent !== text) at("status-text").textContent = text;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

main();
