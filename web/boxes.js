// The growing film as it comes over the wire: MP4 boxes, and what the init segment says.

const HEADER_BYTES = 8;

/**
 * Cuts a stream of chunks into the init segment and whole fragments (moof + mdat). What names the
 * film, between the two, is in neither: players have no use for it.
 */
export class FragmentCutter {
  #rest = new Uint8Array(0);
  #pending = [];
  /** The box that is awaited: the end of the init segment, the beginning or end of a fragment. */
  #awaited = "moov";

  /** Takes a chunk; returns the segments that are now whole, each `{kind, bytes}`. */
  push(chunk) {
    this.#rest = join([this.#rest, chunk]);
    const whole = [];
    for (let box = this.#nextBox(); box; box = this.#nextBox()) {
      const segment = this.#segmentEndingWith(box);
      if (segment) whole.push(segment);
    }
    return whole;
  }

  #nextBox() {
    if (this.#rest.length < HEADER_BYTES) return null;
    const size = readUint32(this.#rest, 0);
    if (size < HEADER_BYTES) throw new Error(`The stream holds a box of ${size} bytes.`);
    if (this.#rest.length < size) return null;
    const box = this.#rest.slice(0, size);
    this.#rest = this.#rest.slice(size);
    return box;
  }

  #segmentEndingWith(box) {
    const type = boxType(box);
    if (this.#awaited === "moof" && type !== "moof") return null;
    this.#pending.push(box);
    if (this.#awaited === "moof") this.#awaited = "mdat";
    if (type !== this.#awaited) return null;
    const bytes = join(this.#pending);
    const kind = type === "moov" ? "init" : "fragment";
    this.#pending = [];
    this.#awaited = "moof";
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

/** Ticks in a second of the film's pictures, which are its first track. */
export function pictureTimescale(init) {
  return readUint32(init, find(init, "mdhd") + 16);
}

/** Where a fragment's pictures end, in seconds of the film. */
export function picturesEnd(fragment, timescale) {
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

function find(bytes, type) {
  const [a, b, c, d] = [...type].map((letter) => letter.charCodeAt(0));
  return bytes.findIndex(
    (byte, at) => byte === a && bytes[at + 1] === b && bytes[at + 2] === c && bytes[at + 3] === d,
  );
}

function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
