// Keeps the end of a growing list in view, or the sentence being heard, until the user scrolls away.

const MARGIN_PX = 12;
/** A list that is this close to its end is followed again. */
const END_PX = 24;

export class FollowingScroll {
  #frame;
  #isFollowing = true;
  #ownTop = 0;

  constructor(frame) {
    this.#frame = frame;
    frame.addEventListener("scroll", () => this.#onScroll());
    new ResizeObserver(() => this.update()).observe(frame);
  }

  /** Follows from now on: the user has sent something. */
  follow() {
    this.#isFollowing = true;
    this.update();
  }

  /** Scrolls to the end, or less far so that `box`, a position on the screen, stays in view. */
  update(box = null) {
    if (!this.#isFollowing) return;
    const { scrollTop, scrollHeight, clientHeight } = this.#frame;
    const end = scrollHeight - clientHeight;
    const frameTop = this.#frame.getBoundingClientRect().top;
    const wanted = box === null ? end : Math.min(end, scrollTop + box.top - frameTop - MARGIN_PX);
    this.#frame.scrollTop = wanted;
    this.#ownTop = this.#frame.scrollTop;
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#frame;
    const isMoved = Math.abs(scrollTop - this.#ownTop) > 2;
    if (isMoved) this.#isFollowing = scrollHeight - clientHeight - scrollTop < END_PX;
  }
}
