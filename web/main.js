// The page: wires the film, the idle face, the text box and the status line together.

import { Captions } from "./captions.js";
import { Film } from "./film.js";
import { Playlist } from "./playlist.js";
import { Screen } from "./screen.js";
import { call, post, speak } from "./server.js";
import { Stage } from "./stage.js";
import { NotLive, Stream, StreamUnusable } from "./stream.js";
import { Transcript } from "./transcript.js";

const LOOK_MS = 3000;
/** A server that does not say how it is for so long is out of reach. */
const DEAF_MS = 2500;
const MARK_MS = 200;
const SURE_MS = 4000;
/** So far ahead of its playing a clip is made, so that there is something to stop. */
const LEAD_S = 2;

const asked = new URLSearchParams(location.search);
const sessionId = asked.get("session") ?? "default";
const base = sessionId === "default" ? "/session" : `/sessions/${encodeURIComponent(sessionId)}`;
const at = (id) => document.getElementById(id);

const screen = new Screen(at("film"), () => (at("sound").hidden = false));
const stage = new Stage(at("stage"), at("handover"), screen, at("idle"), showDelay);
const captions = new Captions(at("film"), at("caption"), at("captions"), `${base}/full_session.vtt`);
const transcript = new Transcript(at("transcript"));

const leaving = new AbortController();

let connection = "waiting";
/** Texts that were sent and are not wholly in the film yet. */
let underWay = 0;
/** When the text was sent whose first picture is awaited, by `performance.now`. */
let sentMs = null;
const onState = (state) => (connection = state);

/** `?from=start` plays what was said before, too. */
const fromStart = asked.get("from") === "start";
const stream = new Stream(`${base}/stream`, { fromStart, onState, signal: leaving.signal });
const playlist = new Playlist(`${base}/live.m3u8`, screen, {
  onState,
  onBegun: () => captions.clear(),
  onAppended: () => captions.grow(),
  signal: leaving.signal,
});

/** The ways to play a growing film, by the name that `?player=` takes. */
const PLAYERS = {
  mse: { title: "Media Source Extensions, one stream", play: playStream },
  hls: { title: "hls.js, HLS playlist", play: (joinsAtS) => playlist.playByHlsJs(joinsAtS) },
  native: { title: "the browser's own HLS player", play: (joinsAtS) => playlist.playNatively(joinsAtS) },
};

async function main() {
  listen();
  setInterval(mark, MARK_MS);
  setInterval(look, LOOK_MS);
  at("session").textContent = sessionId === "default" ? "" : sessionId;
  const [session] = await Promise.all([look(), listVoices()]);
  if (session) at("voice").value = session.voice;
  if (session && !fromStart) stream.beginAt(session.bytes);
  await play(session);
}

/** Plays the films of the session, in the best way that works here. */
async function play(session) {
  const joinsAtS = session?.exists && !fromStart ? session.duration_s : 0;
  const name = asked.get("player") ?? bestPlayer();
  if (!(name in PLAYERS)) {
    throw new Error(`player = "${name}": this page has ${Object.keys(PLAYERS).join(", ")}.`);
  }
  try {
    await playBy(name, "", joinsAtS);
  } catch (error) {
    if (error instanceof NotLive) return showNote(error.message);
    if (!(error instanceof StreamUnusable)) throw error;
    await playBy("hls", error.message, joinsAtS);
  }
}

function bestPlayer() {
  if (Film.isPossible) return "mse";
  if (Playlist.isNative(at("film"))) return "native";
  throw new Error("This browser has neither Media Source Extensions nor HLS to play the film with.");
}

async function playBy(name, reason, joinsAtS) {
  at("player").textContent = name;
  at("player").title = `Played by ${PLAYERS[name].title}${reason && ` (${reason})`}`;
  await PLAYERS[name].play(joinsAtS);
}

async function playStream() {
  const film = new Film(screen);
  for await (const { kind, bytes } of stream.segments()) {
    if (kind === "init") {
      captions.clear();
      await film.begin(bytes);
    } else {
      await film.append(bytes);
      captions.grow();
    }
  }
}

/** Shows what is heard now, and whether there is anything to stop. */
function mark() {
  transcript.mark(stage.isSpeaking ? screen.time : null);
  at("stop").disabled = !(stage.isSpeaking || underWay > 0) || screen.isStopped;
}

/** Asks how the server and the session are; answers the session, if there is an answer. */
async function look() {
  try {
    const signal = AbortSignal.timeout(DEAF_MS);
    showHealth(await (await fetch("/health", { signal })).json());
    return await lookAtSession(transcript.last, signal);
  } catch (error) {
    showStatus("bad", worded(error));
    if (error.name === "TimeoutError") return look(); // by another connection
  }
}

/** Asks for the session with its clips from number `first` on; a film of hours has many. */
async function lookAtSession(first, signal) {
  const query = new URLSearchParams({ session_id: sessionId, clips_from: first });
  const session = await call(`/session?${query}`, { signal });
  if (!transcript.take(first, session.clips)) return lookAtSession(0, signal);
  showSession(session);
  return session;
}

function showHealth({ status, reason, engine, device, jobs_queued: queued, jobs_processing: busy }) {
  if (!["ok", "asleep", "loading"].includes(status)) return showStatus("bad", reason ?? status);
  if (connection === "lost") return showStatus("bad", "The film's connection is lost; trying again.");
  const waiting = queued + busy;
  const rest = status === "ok" ? "ready" : status;
  const work = waiting === 0 ? rest : `${waiting} in work`;
  showStatus(waiting === 0 ? "good" : "busy", [work, engine, device].filter(Boolean).join(" · "));
}

function showSession({ avatar_id, fps, width, height, duration_s, exists, bytes, video_url, idle, problem }) {
  stream.compare(bytes);
  if (idle !== null) {
    at("stage").style.setProperty("--ratio", width / height);
    stage.setIdle({ ...idle, fps });
  }
  if (problem) showNote(problem);
  at("length").textContent = exists ? `${clock(duration_s)} of film` : `${avatar_id} is listening`;
  at("download").hidden = !exists;
  if (exists) at("download").href = video_url;
}

/** The voices to choose from; which one is the session's own is told with the session. */
async function listVoices() {
  const { voices } = await call("/voices");
  for (const select of document.querySelectorAll("select.voices")) {
    select.append(...voices.map(({ id, name }) => new Option(name, id)));
  }
}

/** The box in which another session is begun, with a face and a voice of its own. */
async function chooseSession() {
  const { avatars } = await call("/avatars");
  const ready = avatars.filter(({ state }) => state === "ready");
  at("new-avatar").replaceChildren(...ready.map(({ id, active }) => new Option(id, id, active, active)));
  at("new-session").showModal();
}

async function beginSession() {
  const chosen = {
    session_id: at("new-name").value || null,
    avatar_id: at("new-avatar").value,
    voice: at("new-voice").value || null,
  };
  try {
    const { session_id: id } = await post("/sessions", chosen);
    location.search = new URLSearchParams({ session: id });
  } catch (error) {
    at("new-error").textContent = worded(error);
  }
}

/** Says what is in the box. What is refused goes back into an empty box, so that nothing is lost. */
async function say() {
  const text = at("text").value;
  at("text").value = "";
  hideError();
  const entry = transcript.add(text);
  if (!stage.isSpeaking) sentMs ??= performance.now();
  underWay += 1;
  try {
    await follow(speak({ ...request(), text }), entry);
    entry.end();
  } catch (error) {
    failed(error, entry, text);
  }
  underWay -= 1;
  await look();
}

function failed(error, entry, text) {
  sentMs = null;
  if (error.kind === "InterruptedError") return entry.fail("interrupted");
  entry.fail("not said");
  showError(worded(error));
  if (at("text").value === "") at("text").value = text;
}

function request() {
  return {
    session_id: sessionId,
    voice: at("voice").value || null,
    speed: Number(at("speed").value),
    lead_s: LEAD_S,
  };
}

async function follow(events, entry) {
  for await (const { event, data } of events) {
    if (event === "loading") entry.tell("the engine is being loaded");
    if (event === "speech") entry.tell(`sentence ${data.sentence + 1}`);
    if (event === "fragment") entry.tell("speaking");
  }
}

/** The film has come into view: tells how long that took since a text was sent. */
function showDelay() {
  if (at("download").hidden) look(); // the first words: there is a film now
  if (sentMs === null) return;
  at("timing").textContent = `first picture after ${Math.round(performance.now() - sentMs)} ms`;
  sentMs = null;
}

/** Barge-in: here it is silent at once, and the server says no more of what it was told to say. */
async function stop() {
  screen.stop();
  stage.leave();
  at("text").focus();
  try {
    const { position_s: positionS } = await post("/interrupt", { session_id: sessionId });
    screen.goOnAt(positionS);
  } catch (error) {
    showError(worded(error));
    screen.goOnAt(screen.isEmpty ? 0 : screen.end);
  }
  await look();
}

async function reset() {
  hideError();
  try {
    await post("/reset", { session_id: sessionId });
    transcript.clear();
  } catch (error) {
    showError(worded(error));
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
  at("stop").addEventListener("click", stop);
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && !at("stop").disabled && !at("new-session").open) stop();
  });
  at("other").addEventListener("click", chooseSession);
  at("new-cancel").addEventListener("click", () => at("new-session").close());
  at("new-form").addEventListener("submit", (event) => {
    event.preventDefault();
    beginSession();
  });
  at("error-close").addEventListener("click", hideError);
  askTwice(at("reset"), reset);
  // A page kept for the back button would keep its connection, and a browser has only six to a server.
  addEventListener("pagehide", () => leaving.abort());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  addEventListener("unhandledrejection", ({ reason }) => showError(String(reason?.message ?? reason)));
}

/** fetch throws TypeError when there is no answer, and what the signal says when that is late. */
function worded(error) {
  return error instanceof TypeError || error.name === "TimeoutError" ? "The server does not answer." : error.message;
}

function showError(message) {
  at("error-text").textContent = message;
  at("error").hidden = false;
}

function hideError() {
  at("error").hidden = true;
}

/** Something to know that is no fault. */
function showNote(message) {
  at("note").textContent = message;
  at("note").hidden = false;
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
