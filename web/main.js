// Connects the modules of the page to one another and to its elements.

import { showAccount } from "./account.js";
import { ActionMenu } from "./action_menu.js";
import { ActivePlayback } from "./active_playback.js";
import { Captions } from "./captions.js";
import { Chat } from "./chat/chat.js";
import { ChatSettings } from "./chat/chat_settings.js";
import { Editing } from "./chat/editing.js";
import { Messages } from "./chat/messages.js";
import { ModeSwitch } from "./chat/mode_switch.js";
import { ModelPanel } from "./chat/model_panel.js";
import { connectSaveMenu } from "./chat/save_menu.js";
import { Composer } from "./composer.js";
import { confirmOnClick } from "./confirm_button.js";
import { Conversation } from "./conversation.js";
import { ErrorBanner } from "./error_banner.js";
import { FacesDialog } from "./faces_dialog.js";
import { FilmInfo } from "./film_info.js";
import { FilmPlayer } from "./film_player.js";
import { Interruption } from "./interruption.js";
import { JobsDialog } from "./jobs_dialog.js";
import { FirstFrameTimer } from "./latency.js";
import { readOptions } from "./options.js";
import { pageClosed } from "./page_lifetime.js";
import { MicrophoneControls } from "./microphone/microphone_controls.js";
import { Playback } from "./playback.js";
import { Player } from "./player.js";
import { Recorder } from "./recorder.js";
import { SessionMonitor } from "./session_monitor.js";
import { SessionsDialog } from "./sessions_dialog.js";
import { Stage } from "./stage.js";
import { StatusLine, isServing, jobCount } from "./status_line.js";
import { connectStopButton } from "./stop_button.js";
import { NotLive } from "./stream.js";
import { Transcript } from "./transcript.js";
import { VoiceMenu, fillMenus } from "./voices.js";
import { LivePlayback } from "./webrtc/live_playback.js";
import { LivePlayer } from "./webrtc/live_player.js";

const element = (id) => document.getElementById(id);
const refresh = () => monitor.refresh();

const options = readOptions(location.search);
const { sessionId, sessionUrl } = options;
const errors = new ErrorBanner(element("error"));
const status = new StatusLine(element("status"));
const info = new FilmInfo(document.querySelector("main"), `${sessionUrl}/full_session.mp4`);
const timer = new FirstFrameTimer(element("latency"));
const transcript = new Transcript(element("transcript"));
const signal = pageClosed();
const film = new Playback(element("film"), element("unmute"));
const live = new LivePlayback(element("live"), element("unmute"), onLivePicture);
const playback = new ActivePlayback(film, live);
const stage = new Stage(element("stage"), { playback: film, live, onFilmShown });
const captions = new Captions(film.video, {
  line: element("caption"),
  button: element("captions"),
  url: `${sessionUrl}/full_session.vtt`,
});
const livePlayer = new LivePlayer(`sessions/${encodeURIComponent(sessionId)}/whep`, live, {
  signal,
  onDelay: (delayMs) => info.showDelay(delayMs),
  onStalled: (isStalled) => stage.setLiveStalled(isStalled),
  onSpeech: refresh, // another client may have sent the text
});
const player = new Player(options, {
  film: new FilmPlayer(options, {
    playback: film,
    captions,
    onPlayer: (name, title) => info.showPlayer(name, title),
    onEnded: refresh,
  }),
  live: livePlayer,
  stage,
  playback,
  signal,
  refresh,
  onLive: (name, title) => info.showPlayer(name, title),
  onReason: (reason) => info.showReason(reason),
  onError: onFilmError,
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
  onSubmit: () => (mode.isChat ? sendMessage() : conversation.speak()),
  onInput: () => errors.resolve("request"),
  onUp: () => mode.isChat && editLast(),
});
const interruption = new Interruption(sessionId, { stage, playback, errors });
const connected = { stage, playback, timer, interruption, errors, refresh };
const conversation = new Conversation(sessionId, { composer, transcript, ...connected });
const mode = new ModeSwitch(document.querySelector("main"), (name) => {
  composer.setMode(name);
  if (name !== "chat") microphone.stop();
});
const editing = new Editing(element("editing"), element("composer"), composer);
const messages = new Messages(element("messages"), {
  edit: (view) => editing.start(view),
  again: (view) => chat.again(view),
  fail: (error) => errors.show(error),
});
const settings = new ChatSettings(sessionId, element("composer"), {
  onPersona: () => chat.greet(),
  onError: (error) => errors.show(error),
});
const model = new ModelPanel(element("model"));
const chat = new Chat(sessionId, { messages, settings, model, ...connected });
const microphone = new MicrophoneControls(element("microphone"), { video: film.video, live }, {
  chat: {
    get canStop() {
      return chat.canStop;
    },
    get saidText() {
      return chat.saidText;
    },
    hold: () => playback.hold(),
    release: () => playback.release(),
    interrupt: () => chat.interrupt(),
    send: (text) => chat.send(text) || composer.restore(text), // without a model it is kept there
  },
  onError: (error) => errors.show(error),
});
const recorder = new Recorder(element("composer"), {
  onRecording: (recording, name) => conversation.speakRecording(recording, name),
  onError: (error) => errors.show(error),
});
const actions = new ActionMenu(element("action-menu"), sessionId, (error) => errors.show(error));
const voiceMenus = ["voice", "chat-voice", "new-voice"].map((id) => new VoiceMenu(element(id)));
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
  await player.play(session).catch(onFilmError);
}

function onFilmError(error) {
  if (!(error instanceof NotLive)) throw error;
  info.setStandingNotice(error.message);
}

async function prepare(session) {
  const voices = await fillMenus(voiceMenus);
  const [menu, chatMenu] = voiceMenus;
  if (session.chosen.voice === null) {
    menu.selectFavouriteOr(session.voice);
    chatMenu.selectFavouriteOr("");
  } else menu.select(session.voice);
  prepareChat(session, voices).catch((error) => mode.refuseChat(error.message));
}

/** Not awaited: without it the film can be watched, and texts can be spoken. */
async function prepareChat(session, voices) {
  const reason = await model.findOff();
  if (reason !== null) return mode.refuseChat(reason);
  await settings.fill(voices);
  mode.allowChat(options.mode);
  if (mode.isChat) model.warmUp();
  await chat.sync(session);
}

function editLast() {
  const view = messages.views.findLast(({ turn }) => turn.user_text !== "");
  if (view) editing.start(view);
}

/** Sends what is in the text field; a text that cannot be sent stays there. */
function sendMessage() {
  const text = composer.take();
  if (text === null) return;
  const replaced = editing.finish();
  if (chat.send(text, replaced)) return;
  composer.restore(text);
  if (replaced) editing.start(replaced);
}

function onHealth(health) {
  const isFilmLost = player.isConnectionLost;
  status.showHealth(health, isFilmLost);
  if (!isServing(health) || isFilmLost) return;
  errors.resolve("server");
  if (jobCount(health) === 0) errors.resolve("queue");
}

function onSession(session) {
  player.update(session);
  stage.setFace(session);
  info.showSession(session);
  actions.update(session);
  if (mode.isChatAllowed) chat.sync(session).catch(() => {}); // the status line says that the server is not reachable
}

function onFilmReplaced() {
  timer.clear();
  player.leaveFilm();
  stage.leaveFilm();
  chat.leaveFilm();
}

function onFilmShown() {
  if (!info.hasFilm) refresh(); // the first speech has just created the film
  timer.stop();
}

/** `timeS` is the time in the film of the picture that is shown; null while nobody speaks. */
function onLivePicture(timeS) {
  stage.updateLive();
  captions.showLive(player.isLive ? livePlayer.captionAt(timeS) : null);
}

async function reset() {
  if (await conversation.reset()) chat.clear();
}

const speech = {
  get canStop() {
    return mode.isChat ? chat.canStop : conversation.canStop;
  },
  stop() {
    composer.focus();
    return mode.isChat ? chat.interrupt() : conversation.stop();
  },
};

function connectControls() {
  connectStopButton(element("stop"), speech);
  element("chat-menus-toggle").addEventListener("click", ({ currentTarget: button }) => {
    button.ariaExpanded = String(button.ariaExpanded !== "true");
  });
  connectSaveMenu(element("save"), sessionId, () => messages.turns);
  confirmOnClick(element("reset"), reset);
  element("error-close").addEventListener("click", () => composer.focus());
  for (const [id, dialog] of Object.entries(dialogs)) {
    element(id).addEventListener("click", () => dialog.open().catch((error) => errors.show(error)));
  }
}

main();
