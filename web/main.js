// Connects the modules of the page to one another and to its elements.

import { showAccount } from "./account.js";
import { Captions } from "./captions.js";
import { Composer } from "./composer.js";
import { confirmOnClick } from "./confirm_button.js";
import { Conversation } from "./conversation.js";
import { ErrorBanner } from "./error_banner.js";
import { FacesDialog } from "./faces_dialog.js";
import { FilmInfo } from "./film_info.js";
import { FilmPlayer } from "./film_player.js";
import { JobsDialog } from "./jobs_dialog.js";
import { FirstFrameTimer } from "./latency.js";
import { readOptions } from "./options.js";
import { pageClosed } from "./page_lifetime.js";
import { Playback } from "./playback.js";
import { Recorder } from "./recorder.js";
import { SessionMonitor } from "./session_monitor.js";
import { SessionsDialog } from "./sessions_dialog.js";
import { Stage } from "./stage.js";
import { StatusLine, isServing, jobCount } from "./status_line.js";
import { connectStopButton } from "./stop_button.js";
import { NotLive } from "./stream.js";
import { Transcript } from "./transcript.js";
import { VoiceMenu, fillMenus } from "./voices.js";

const element = (id) => document.getElementById(id);
const refresh = () => monitor.refresh();

const options = readOptions(location.search);
const { sessionId, sessionUrl } = options;
const errors = new ErrorBanner(element("error"));
const status = new StatusLine(element("status"));
const info = new FilmInfo(document.querySelector("main"), `${sessionUrl}/full_session.mp4`);
const timer = new FirstFrameTimer(element("latency"));
const transcript = new Transcript(element("transcript"));
const playback = new Playback(element("film"), element("unmute"));
const stage = new Stage(element("stage"), playback, onFilmShown);
const captions = new Captions(playback.video, {
  line: element("caption"),
  button: element("captions"),
  url: `${sessionUrl}/full_session.vtt`,
});
const player = new FilmPlayer(options, {
  playback,
  captions,
  onPlayer: (name, title) => info.showPlayer(name, title),
  onEnded: refresh,
  signal: pageClosed(),
});
const monitor = new SessionMonitor(sessionId, {
  transcript,
  player,
  onHealth,
  onFace: (session) => stage.setFace(session),
  onSession,
  onFilmReplaced,
  onUnreachable: (error) => status.showError(error.message),
});
const composer = new Composer(element("composer"), {
  onSubmit: () => conversation.speak(),
  onInput: () => errors.resolve("request"),
});
const connected = { composer, transcript, stage, playback, timer, errors, refresh };
const conversation = new Conversation(sessionId, connected);
const recorder = new Recorder(element("composer"), {
  onRecording: (recording, name) => conversation.speakRecording(recording, name),
  onError: (error) => errors.show(error),
});
const voiceMenus = [new VoiceMenu(element("voice")), new VoiceMenu(element("new-voice"))];
const dialogs = {
  "faces-open": new FacesDialog(element("faces")),
  "jobs-open": new JobsDialog(element("jobs")),
  "sessions-open": new SessionsDialog(element("sessions"), sessionId),
};

async function main() {
  element("session").textContent = options.title;
  connectControls();
  errors.showUnhandled();
  showAccount(element("log-out"));
  monitor.start();
  transcript.follow(() => (stage.isSpeaking ? playback.time : null));
  const session = await monitor.waitForSession(prepare);
  try {
    await player.play(session);
  } catch (error) {
    if (!(error instanceof NotLive)) throw error;
    info.setStandingNotice(error.message);
  }
}

async function prepare(session) {
  await fillMenus(voiceMenus);
  const [menu] = voiceMenus;
  if (session.chosen.voice === null) menu.selectFavouriteOr(session.voice);
  else menu.select(session.voice);
}

function onHealth(health) {
  const isFilmLost = player.isConnectionLost;
  status.showHealth(health, isFilmLost);
  if (!isServing(health) || isFilmLost) return;
  errors.resolve("server");
  if (jobCount(health) === 0) errors.resolve("queue");
}

function onSession(session) {
  player.checkProgress(session.bytes);
  stage.setFace(session);
  info.showSession(session);
}

function onFilmReplaced() {
  timer.clear();
  player.leaveFilm();
  stage.leaveFilm();
}

function onFilmShown() {
  if (!info.hasFilm) refresh(); // the first speech has just created the film
  timer.stop();
}

function connectControls() {
  connectStopButton(element("stop"), conversation);
  confirmOnClick(element("reset"), () => conversation.reset());
  element("error-close").addEventListener("click", () => composer.focus());
  for (const [id, dialog] of Object.entries(dialogs)) {
    element(id).addEventListener("click", () => dialog.open().catch((error) => errors.show(error)));
  }
}

main();
