// The list of bubbles, in the order of the turns.

import { AnswerView } from "./answer_view.js";
import { FollowingScroll } from "./following_scroll.js";
import { TurnView } from "./turn_view.js";

export class Messages {
  #list;
  #scroll;
  #actions;
  #views = [];
  #greeting = null;

  /** `frame` scrolls and contains the list; `actions` are those of a TurnView. */
  constructor(frame, actions) {
    this.#list = frame.querySelector("ol");
    this.#scroll = new FollowingScroll(frame);
    this.#actions = actions;
  }

  get views() {
    return this.#views;
  }

  get turns() {
    return this.#views.map(({ turn }) => turn);
  }

  /** Adds a turn of the user of this page, and follows it. */
  add(turn) {
    const view = this.#append(turn);
    this.#scroll.follow();
    return view;
  }

  /**
   * Shows the turns that the server has; views in `untouched` are left as they are. A view without
   * an identifier failed here, and stays, unless the server has its turn after all. Returns the
   * views of the turns.
   */
  restore(turns, untouched) {
    const ids = new Set(turns.map(({ job_id: id }) => id));
    const isGone = (view) => view.id !== null && !ids.has(view.id) && !untouched.has(view);
    this.#views.filter(isGone).forEach((view) => this.#remove(view));
    const views = turns.map((turn) => this.#show(turn, untouched));
    this.scroll();
    return views;
  }

  /** Removes a turn and all that follow it. */
  removeFrom(view) {
    this.#views.slice(this.#views.indexOf(view)).forEach((each) => this.#remove(each));
  }

  clear() {
    [...this.#views].forEach((view) => this.#remove(view));
  }

  /** Shows how a persona greets, as long as nothing has been said; `say` speaks it. Empty for nothing. */
  greet(text, say) {
    this.#greeting?.remove();
    this.#greeting = null;
    if (text === "" || this.#views.length > 0) return;
    this.#greeting = new AnswerView();
    this.#greeting.setState("done");
    this.#greeting.setReply(text);
    this.#greeting.setActions([["Say it", say, "Have the greeting spoken"]]);
    this.#list.prepend(this.#greeting.element);
  }

  /** Keeps the end in view, or the sentence that is being heard. */
  scroll(spokenBox = null) {
    this.#scroll.update(spokenBox);
  }

  #show(turn, untouched) {
    const isLost = (view) => view.id === null && view.turn.user_text === turn.user_text && !untouched.has(view);
    const view = this.#views.find(({ id }) => id === turn.job_id) ?? this.#views.find(isLost);
    if (!view) return this.#append(turn);
    if (!untouched.has(view)) view.update(turn);
    return view;
  }

  #append(turn) {
    const view = new TurnView(turn, this.#actions);
    this.#views.push(view);
    this.#list.append(...view.elements);
    return view;
  }

  #remove(view) {
    view.remove();
    this.#views = this.#views.filter((each) => each !== view);
  }
}
