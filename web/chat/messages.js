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

  /** Shows the turns that the server has. Turns without an identifier failed here, and stay. */
  restore(turns) {
    const ids = new Set(turns.map(({ id }) => id));
    const isGone = ({ id }) => id !== null && !ids.has(id);
    this.#views.filter(isGone).forEach((view) => this.#remove(view));
    for (const turn of turns) {
      const view = this.#views.find(({ id }) => id === turn.id);
      if (view) view.update(turn);
      else this.#append(turn);
    }
    this.scroll();
  }

  /** Removes a turn and all that follow it. */
  removeFrom(view) {
    this.#views.slice(this.#views.indexOf(view)).forEach((each) => this.#remove(each));
  }

  clear() {
    [...this.#views].forEach((view) => this.#remove(view));
  }

  /** Shows how a persona greets, as long as nothing has been asked; empty for nothing. */
  greet(text) {
    this.#greeting?.remove();
    this.#greeting = null;
    if (text === "" || this.#views.length > 0) return;
    this.#greeting = new AnswerView();
    this.#greeting.setState("done");
    this.#greeting.setReply(text);
    this.#list.prepend(this.#greeting.element);
  }

  /** Keeps the end in view, or the sentence that is being heard. */
  scroll(spokenBox = null) {
    this.#scroll.update(spokenBox);
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
