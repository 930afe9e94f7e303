// The page: wires the film, the idle face, the text box and the status line together.

import { Captions } from "./captions.js";
import { Complaint } from "./complaint.js";
import { Film } from "./film.js";
import { Playlist } from "./playlist.js";
import { Screen } from "./screen.js";
import { ask, call, post, speak } from "./server.js";
import { SessionsBox } from "./sessions.js";
import { Stage } from "./stage.js";
import { NotLive, Stream, StreamUnusable } from "./stream.js";
import { Transcript } from "./transcript.js";

const LOOK_MS = 3000;
/** A server that does not say how it is for so long is out of reach. */
const DEAF_MS = 2500;
const MARK_MS = 200;
const SURE_MS = 4000;
const AGAIN_MS = 500;
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
const complaint = new Complaint(at("error"), at("error-text"), at("error-close"));
const sessions = new SessionsBox(at("sessions"), sessionId);

const leaving = new AbortController();

let connection = "waiting";
/** Texts that were sent and are not wholly in the film yet. */
let underWay = 0;
const sent = new Set();
/** When the text was sent whose first picture is awaited, by `performance.now`. */
let sentMs = null;
/** What is to be known for as long as this page is open. */
let standing = "";
/** The film that is being played, by the server's name for it. */
let film = null;
/** Looks are answered out of order now and then; an older one tells nothing new. */
let looks = 0;
let lastLook = 0;
/** What is said after an interruption waits for its answer, so that it is not interrupted as well. */
let stopping = Promise.resolve();

function onState(state) {
  connection = state;
  if (state === "over") look(); // a film ends when its session is reset, or the server stops
}

function onBegun(name) {
  film = name;
  captions.clear();
}

/** `?from=start` plays what was said before, too. */
const fromStart = asked.get("from") === "start";
const stream = new Stream(`${base}/stream`, { fromStart, onState, signal: leaving.signal });
const playlist = new Playlist(`${base}/live.m3u8`, screen, {
  onState,
  onBegun,
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
  const session = await begin();
  if (!fromStart) stream.beginAt(session.bytes);
  await play(session);
}

/** Asks for what has to be known before anything can be played, until the server answers. */
async function begin() {
  for (;;) {
    try {
      const session = await look();
      if (session) await listVoices(session.voice);
      if (session) return session;
    } catch (error) {
      showStatus("bad", error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Plays the films of the session, in the best way that works here. */
async function play(session) {
  const joinsAtS = session.exists && !fromStart ? session.duration_s : 0;
  const name = asked.get("player") ?? bestPlayer();
  if (!(name in PLAYERS)) {
    throw new Error(`player = "${name}": this page has ${Object.keys(PLAYERS).join(", ")}.`);
  }
  try {
    await playBy(name, "", joinsAtS);
  } catch (error) {
    if (error instanceof NotLive) return showNote((standing = error.message));
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
  const player = new Film(screen);
  for await (const { kind, bytes, film: name } of stream.segments()) {
    if (kind === "init") {
      onBegun(name);
      await player.begin(bytes);
    } else {
      await player.append(bytes);
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
    const { body: health } = await ask("/health", { signal });
    showHealth(health);
    // Its films are not opened yet, and it tells of none.
    if (health.status === "warming") return await lookAtFace(signal);
    return await lookAtSession(transcript.last, signal);
  } catch (error) {
    showStatus("bad", error.message);
    if (error.isLate) return look(); // by another connection
  }
}

/** Shows who will speak. */
async function lookAtFace(signal) {
  const query = new URLSearchParams({ session_id: sessionId });
  showFace(await call(`/session?${query}`, { signal }));
}

/** Asks for the session with its clips from number `first` on; a film of hours has many. */
async function lookAtSession(first, signal) {
  const query = new URLSearchParams({ session_id: sessionId, clips_from: first });
  const [number, played] = [(looks += 1), film];
  const session = await call(`/session?${query}`, { signal });
  if (number < lastLook) return session;
  if (!transcript.take(first, session.clips)) return lookAtSession(0, signal);
  lastLook = number;
  if (played !== null && played === film && session.film !== film) leaveFilm();
  if (session.state !== "speaking") transcript.settle();
  showSession(session);
  return session;
}

/** The session was reset or deleted: what is left of its film here is not played. */
function leaveFilm() {
  film = null;
  sentMs = null;
  screen.stop();
  stage.leave();
  captions.clear();
  at("timing").textContent = "";
}

function showHealth({ status, reason, engine, device, jobs_queued: queued, jobs_processing: busy }) {
  if (status === "warming") return showStatus("busy", `starting: ${reason}`);
  if (!["ok", "asleep", "loading"].includes(status)) return showStatus("bad", reason ?? status);
  if (connection === "lost") return showStatus("bad", "The film's connection is lost; trying again.");
  const waiting = queued + busy;
  complaint.end("server");
  if (waiting === 0) complaint.end("queue");
  const rest = status === "ok" ? "ready" : status;
  const work = waiting === 0 ? rest : `${waiting} in work`;
  const about = [engine, device].filter(Boolean).map((word) => ` · ${word}`);
  showStatus(waiting === 0 ? "good" : "busy", work, about.join(""));
}

function showSession(session) {
  const { avatar_id: avatar, duration_s: durationS, exists, bytes, video_url: url, problem } = session;
  stream.compare(bytes);
  showFace(session);
  showNote(problem || standing);
  at("length").textContent = exists ? `${clock(durationS)} of film` : `${avatar} is listening`;
  at("download").hidden = !exists;
  if (exists) at("download").href = url;
}

function showFace({ idle, fps, width, height }) {
  if (idle === null) return;
  at("stage").style.setProperty("--ratio", width / height);
  stage.setIdle({ ...idle, fps });
}

/** The voices to choose from; `own` is the session's. */
async function listVoices(own) {
  const { voices } = await call("/voices");
  for (const select of document.querySelectorAll("select.voices")) {
    const known = [...select.options].filter(({ value }) => value === "");
    select.replaceChildren(...known, ...voices.map(({ id, name }) => new Option(name, id)));
  }
  at("voice").value = own;
}

/** Says what is in the box. What is refused goes back into an empty box, so that nothing is lost. */
async function say() {
  const text = at("text").value;
  at("text").focus();
  if (text.trim() === "") return;
  at("text").value = "";
  complaint.drop();
  hear();
  const entry = transcript.add(text, ({ whole }) => whole && takeBack(text));
  if (!stage.isSpeaking) sentMs ??= performance.now();
  underWay += 1;
  sent.add(entry);
  const isSaid = await send(text, entry);
  sent.delete(entry);
  underWay -= 1;
  await look();
  if (isSaid) entry.end();
}

async function send(text, entry) {
  try {
    await stopping;
    await follow(speak({ ...request(), text }), entry);
    return true;
  } catch (error) {
    failed(error, entry, text);
    return false;
  }
}

function failed(error, entry, text) {
  sentMs = null;
  if (error.kind === "InterruptedError") return entry.fail("not said: stopped before its turn came");
  entry.fail(error.kind === "NoAnswer" ? "the connection was lost" : "not said");
  complaint.show(error);
  if (at("text").value !== "") return;
  at("text").value = text;
  entry.giveBack();
}

/** Whoever presses something may be played the sound. */
function hear() {
  at("film").muted = false;
  at("sound").hidden = true;
}

/** What went back into the box was said after all: only the answer was lost. */
function takeBack(text) {
  if (at("text").value === text) at("text").value = "";
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
  stopping = interrupt();
  await stopping;
  await look();
}

async function interrupt() {
  try {
    const { position_s: positionS } = await post("/interrupt", { session_id: sessionId });
    screen.goOnAt(positionS);
  } catch (error) {
    complaint.show(error);
    screen.goOnAt(screen.isEmpty ? 0 : screen.end);
  }
}

async function reset() {
  complaint.drop();
  const before = [...sent]; // they may fail before the answer is here
  try {
    await post("/reset", { session_id: sessionId });
    before.forEach((entry) => entry.end());
    transcript.clear();
  } catch (error) {
    complaint.show(error);
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
  at("speed").addEventListener("input", () => {
    at("pace").textContent = `${at("speed").value}×`;
    at("speed").ariaValueText = at("pace").textContent;
  });
  at("form").addEventListener("input", () => complaint.end("request"));
  at("sound").addEventListener("click", hear);
  at("stop").addEventListener("click", stop);
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && !at("stop").disabled && !at("sessions").open) stop();
  });
  at("other").addEventListener("click", () => sessions.open().catch((error) => complaint.show(error)));
  at("error-close").addEventListener("click", () => at("text").focus());
  askTwice(at("reset"), reset);
  // A page kept for the back button would keep its connection, and a browser has only six to a server.
  addEventListener("pagehide", () => leaving.abort());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  addEventListener("unhandledrejection", ({ reason }) => complaint.show(asError(reason)));
}

function asError(reason) {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Something to know that is no fault. */
function showNote(message) {
  if (at("note").textContent !== message) at("note").textContent = message;
  at("note").hidden = message === "";
}

function showStatus(kind, text, about = "") {
  at("status").className = kind;
  if (at("status-text").textContent !== text) at("status-text").textContent = text;
  if (at("status-about").textContent !== about) at("status-about").textContent = about;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

main();
