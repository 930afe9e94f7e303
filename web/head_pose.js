// The pose of the head in each frame of the idle loop, and the transforms between poses.

/** The poses of one period of an avatar's idle loop, from `GET /avatars/ID/path.json`. */
export class HeadPath {
  #poses;

  constructor({ width, height, crop, poses }) {
    this.width = width;
    this.height = height;
    this.#poses = poses.map((transform) => poseOf(transform, crop));
  }

  /** The pose at a frame number of the film or of the loop. */
  at(frame) {
    return this.#poses[frame % this.#poses.length];
  }
}

/** Converts the server's face transform to quantities that can be interpolated. */
function poseOf([a, b, x, y], { eyes: [u, v], eye_distance: eyeDistance }) {
  return {
    x: a * u - b * v + x, // midpoint between the eyes, pixels of the frame
    y: b * u + a * v + y,
    eyeDistance: eyeDistance * Math.hypot(a, b), // pixels of the frame
    roll: Math.atan2(b, a), // radians
  };
}

/** Interpolates between two poses; `t` is 0 at `from` and 1 at `to`. */
export function interpolate(from, to, t) {
  const mix = (name) => from[name] + t * (to[name] - from[name]);
  return { x: mix("x"), y: mix("y"), eyeDistance: mix("eyeDistance"), roll: mix("roll") };
}

/** The distance between two heads, in eye distances. */
export function distance(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y) / one.eyeDistance;
}

/** The 3×3 matrix, column by column, that maps a point of the head at `to` to the head at `from`. */
export function transformBetween(to, from) {
  const scale = from.eyeDistance / to.eyeDistance;
  const turn = from.roll - to.roll;
  const [c, s] = [scale * Math.cos(turn), scale * Math.sin(turn)];
  return [c, s, 0, -s, c, 0, from.x - c * to.x + s * to.y, from.y - s * to.x - c * to.y, 1];
}
