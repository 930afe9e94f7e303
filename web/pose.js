// Where a head is in a picture, and the ways from one place to another.

/** The poses of one turn of an avatar's idle loop, as `GET /avatars/ID/path.json` tells them. */
export class Path {
  #poses;

  constructor({ width, height, crop, poses }) {
    this.width = width;
    this.height = height;
    this.#poses = poses.map((pose) => placed(pose, crop));
  }

  /** The pose in picture number `frame`, counted from the film's or the loop's beginning. */
  at(frame) {
    return this.#poses[frame % this.#poses.length];
  }
}

/** A pose as the server tells it, by what can be mixed: the head's middle, eye distance and roll. */
function placed([a, b, x, y], { eyes: [u, v], eye_distance: apart }) {
  return {
    x: a * u - b * v + x,
    y: b * u + a * v + y,
    eyes: apart * Math.hypot(a, b), // pixels of the frame
    roll: Math.atan2(b, a),
  };
}

/** The pose at `share` of the way; 0 is `from`, 1 is `to`. */
export function between(from, to, share) {
  const mix = (name) => from[name] + share * (to[name] - from[name]);
  return { x: mix("x"), y: mix("y"), eyes: mix("eyes"), roll: mix("roll") };
}

/** How far apart two heads are, in distances of their eyes. */
export function distance(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y) / one.eyes;
}

/** The matrix (3 by 3, by columns) from a point of the head at `to` to the same point at `from`. */
export function move(to, from) {
  const size = from.eyes / to.eyes;
  const turn = from.roll - to.roll;
  const [c, s] = [size * Math.cos(turn), size * Math.sin(turn)];
  return [c, s, 0, -s, c, 0, from.x - c * to.x + s * to.y, from.y - s * to.x - c * to.y, 1];
}
