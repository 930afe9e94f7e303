// MP4 boxes: divides a growing film into segments, and reads media type and times from them.

const HEADER_BYTES = 8;

/**
 * Parses chunks into the init segment and whole fragments (moof + mdat). Other boxes between
 * them, such as the film's metadata, are dropped: players do not need them.
 */
export class FragmentParser {
  #rest = new Uint8Array(0);
  #pending = [];
  /** Type of the box that comes next: the end of the init segment, the start or end of a fragment. */
  #expected = "moov";

  /** Adds a chunk; returns the segments that it completes, each `{kind, bytes}`. */
  push(chunk) {
    this.#rest = join([this.#rest, chunk]);
    const segments = [];
    for (let box = this.#nextBox(); box; box = this.#nextBox()) {
      const segment = this.#segmentEndingWith(box);
      if (segment) segments.push(segment);
    }
    return segments;
  }

  #nextBox() {
    if (this.#rest.length < HEADER_BYTES) return null;
    const size = readUint32(this.#rest, 0);
    if (size < HEADER_BYTES) {
      throw new Error(`The stream contains a box of ${size} bytes; MP4 boxes have at least ${HEADER_BYTES}.`);
    }
    if (this.#rest.length < size) return null;
    const box = this.#rest.slice(0, size);
    this.#rest = this.#rest.slice(size);
    return box;
  }

  #segmentEndingWith(box) {
    const type = boxType(box);
    if (this.#expected === "moof" && type !== "moof") return null;
    this.#pending.push(box);
    if (this.#expected === "moof") this.#expected = "mdat";
    if (type !== this.#expected) return null;
    const bytes = join(this.#pending);
    const kind = type === "moov" ? "init" : "fragment";
    this.#pending = [];
    this.#expected = "moof";
    return { kind, bytes };
  }
}

/** The media type of an init segment, for example `video/mp4; codecs="avc1.4D4028, mp4a.40.2"`. */
export function mediaType(init) {
  const codecs = [];
  const avcC = find(init, "avcC");
  if (avcC >= 0) codecs.push(`avc1.${hex(init.subarray(avcC + 5, avcC + 8))}`);
  if (find(init, "mp4a") >= 0) codecs.push("mp4a.40.2");
  return `video/mp4; codecs="${codecs.join(", ")}"`;
}

/** Ticks per second of the video, which is the film's first track. */
export function videoTimescale(init) {
  return readUint32(init, find(init, "mdhd") + 16);
}

/** The time at which a fragment's video ends, in seconds. */
export function videoEnd(fragment, timescale) {
  const ticks = readUint32(fragment, find(fragment, "tfhd") + 12);
  const start = readUint64(fragment, find(fragment, "tfdt") + 8);
  const count = readUint32(fragment, find(fragment, "trun") + 8);
  return (start + count * ticks) / timescale;
}

function boxType(box) {
  return String.fromCharCode(...box.subarray(4, 8));
}

function readUint32(bytes, offset) {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset);
}

function readUint64(bytes, offset) {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(offset));
}

/** Offset of a box type in a segment; -1 if it has no such box. */
function find(bytes, type) {
  const [a, b, c, d] = [...type].map((letter) => letter.charCodeAt(0));
  return bytes.findIndex(
    (byte, i) => byte === a && bytes[i + 1] === b && bytes[i + 2] === c && bytes[i + 3] === d,
  );
}

function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
