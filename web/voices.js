// The voice menus of the page: voices by language, a sample of each, and favourites.

import { call } from "./server.js";

const STORAGE_KEY = "favourite-voices";
const names = new Intl.DisplayNames([...navigator.languages.filter(isTag), "en"], { type: "language" });

/** A menu of voices with a button that plays a sample, and one that marks a favourite. */
export class VoiceMenu {
  #select;
  #play;
  #star;
  #voices = new Map();
  #sample = new Audio();

  /** `select` stands in a `.voice-menu` with a `.play` and a `.star` button. */
  constructor(select) {
    const menu = select.closest(".voice-menu");
    this.#select = select;
    this.#play = menu.querySelector(".play");
    this.#star = menu.querySelector(".star");
    this.#sample.preload = "none";
    select.addEventListener("change", () => this.#onVoice());
    this.#play.addEventListener("click", () => this.#togglePlaying());
    this.#star.addEventListener("click", () => this.#toggleFavourite());
    for (const event of ["playing", "ended", "pause", "error"]) {
      this.#sample.addEventListener(event, () => this.#showButtons());
    }
  }

  /** Fills the menu; an option without a value stays. */
  fill(voices) {
    this.#voices = new Map(voices.map((voice) => [voice.id, voice]));
    this.#showOptions();
  }

  /** Selects the favourite that was marked last, else the voice with this id. */
  selectFavouriteOr(id) {
    this.select(favourites().findLast((favourite) => this.#voices.get(favourite)?.problem === null) ?? id);
  }

  select(id) {
    this.#select.value = id;
    if (this.#select.value !== id && !this.#voices.has(id)) this.#addUnlisted(id);
    this.#onVoice();
  }

  #showOptions() {
    const selected = this.#select.value;
    const unset = [...this.#select.options].filter(({ value }) => value === "");
    this.#select.replaceChildren(...unset, ...groups([...this.#voices.values()]));
    this.#select.value = selected;
    this.#showButtons();
  }

  /** Voices that are valid but not listed, such as one with a variant of espeak. */
  #addUnlisted(id) {
    this.#select.append(new Option(id, id));
    this.#select.value = id;
  }

  #onVoice() {
    this.#sample.pause();
    this.#showButtons();
  }

  #togglePlaying() {
    if (!this.#sample.paused) return this.#sample.pause();
    this.#sample.src = this.#voices.get(this.#select.value).sample_url;
    this.#sample.play().catch(() => this.#showButtons()); // a failure is also an `error` event
  }

  #toggleFavourite() {
    const id = this.#select.value;
    const others = favourites().filter((favourite) => favourite !== id);
    const wasFavourite = this.#star.ariaPressed === "true";
    localStorage.setItem(STORAGE_KEY, JSON.stringify(wasFavourite ? others : [...others, id]));
    this.#showOptions();
  }

  #showButtons() {
    const voice = this.#voices.get(this.#select.value);
    const isPlaying = !this.#sample.paused && !this.#sample.ended;
    const isFavourite = favourites().includes(voice?.id);
    this.#play.disabled = voice === undefined;
    this.#play.textContent = isPlaying ? "■" : "▶";
    this.#play.title = playTitle(isPlaying, this.#sample.error);
    this.#play.ariaLabel = this.#play.title;
    this.#star.disabled = voice === undefined;
    this.#star.textContent = isFavourite ? "★" : "☆";
    this.#star.ariaPressed = String(isFavourite);
  }
}

/** Fills all menus with the server's voices; resolves to the voices. */
export async function fillMenus(menus) {
  const { voices } = await call("voices");
  for (const menu of menus) menu.fill(voices);
  return voices;
}

function playTitle(isPlaying, error) {
  if (isPlaying) return "Stop the sample";
  return error === null ? "Play a sample of this voice" : "The sample could not be played: try again";
}

/** Ids of the favourite voices, the latest last. */
function favourites() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "[]");
    return Array.isArray(stored) ? stored : [];
  } catch {
    return []; // another program has written there
  }
}

/** `<optgroup>` elements: the favourites, the user's languages, then the other ones by name. */
function groups(voices) {
  const marked = favourites();
  const chosen = voices.filter(({ id }) => marked.includes(id));
  const byLanguage = new Map();
  for (const voice of voices) {
    const language = base(voice.languages[0]);
    byLanguage.set(language, [...(byLanguage.get(language) ?? []), voice]);
  }
  const own = [...new Set(navigator.languages.map(base))].filter((language) => byLanguage.has(language));
  const others = [...byLanguage.keys()].filter((language) => !own.includes(language));
  others.sort((a, b) => languageName(a).localeCompare(languageName(b)));
  const sections = [...own, ...others].map((language) => group(languageName(language), byLanguage.get(language)));
  return chosen.length > 0 ? [group("★ Favourites", chosen), ...sections] : sections;
}

function group(label, voices) {
  const element = document.createElement("optgroup");
  element.label = label;
  element.append(...voices.map(option));
  return element;
}

function option({ id, name, gender, problem, is_live: isLive }) {
  const described = name.includes(gender) || gender === "unknown" ? name : `${name}, ${gender}`;
  const element = new Option(isLive ? described : `${described} (slow)`, id);
  element.disabled = problem !== null;
  element.title = problem ?? "";
  return element;
}

/** True for a tag of BCP 47. In the locale C, WebKitGTK names that as the user's language. */
function isTag(language) {
  try {
    return Intl.getCanonicalLocales(language).length === 1;
  } catch {
    return false;
  }
}

function base(tag) {
  return tag.split("-")[0].toLowerCase();
}

/** The name of a language in the language of the user. */
export function languageName(language) {
  try {
    return names.of(language);
  } catch {
    return language; // not a tag of BCP 47
  }
}
