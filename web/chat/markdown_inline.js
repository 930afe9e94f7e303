// The markdown within a line of text: emphasis, code and links, as a tree of ranges of the source.
//
// A small subset. What is not understood stays text, as does all HTML. Every search is bounded, so
// that the time is linear however hostile the text is.

/** Longest distance between the two ends of an emphasis, a link or a piece of code, characters. */
const MAX_SPAN = 1000;
const MAX_DEPTH = 6;
const MAX_LINK_DEPTH = 4;
/** At most this many candidates for the end of an emphasis are looked at. */
const MAX_CLOSERS = 20;
const PLAIN = /[^\\`!\[<*_~h&]+/y;
const ESCAPE = /\\[!-/:-@[-`{-~]/y;
const ADDRESS = /https?:\/\/[^\s<>"`|]{1,2000}/y;
const AUTOLINK = /<(https?:\/\/[^\s<>]{1,2000})>/y;
/** The address of a link after its text, with at most one pair of brackets in it, and a title. */
const TARGET = new RegExp(
  String.raw`\]\(\s*<?((?:[^\s()<>]|\([^\s()<>]{0,500}\)){1,2000})>?` +
    String.raw`(?:\s+(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?\s*\)`,
  "y",
);
/** Signs at the end of an address that belong to the sentence around it. */
const AFTER_ADDRESS = new Set(".,;:!?)]}'*_~");
const ENTITY = /&(?:amp|lt|gt|quot|#39|apos|nbsp);/y;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", apos: "'", nbsp: "\u00a0" };
const EMPHASES = { "***": "strong", "**": "strong", __: "strong", "~~": "del", "*": "em", _: "em" };
const LINK_SCHEMES = ["http:", "https:", "mailto:"];

/**
 * Parses `source` into nodes in order: `{kind: "text", start, end, text}`, `{kind: "code", start,
 * end}` (the range of the code), and `{kind, children}` with `kind` one of `strong`, `em`, `del`
 * and `link`; a link has `href`, or null for an address that is refused.
 */
export function parseInline(source) {
  return parseRange(source, 0, source.length, 0);
}

function parseRange(source, start, end, depth) {
  const nodes = [];
  for (let at = start; at < end; ) {
    const [node, next] = nodeAt(source, at, end, depth);
    append(nodes, node);
    at = next;
  }
  return nodes;
}

/** The node at a position, and the position after it. */
function nodeAt(source, at, end, depth) {
  const plain = match(PLAIN, source, at, end);
  if (plain) return [text(source, at, at + plain[0].length), at + plain[0].length];
  const special = SPECIALS[source[at]]?.(source, at, end, depth);
  return special ?? [text(source, at, at + 1), at + 1];
}

const SPECIALS = {
  "\\": escaped,
  "`": code,
  "!": (source, at, end, depth) => (source[at + 1] === "[" ? link(source, at + 1, end, depth) : null),
  "[": link,
  "<": autolink,
  "*": emphasis,
  _: emphasis,
  "~": emphasis,
  h: address,
  "&": entity,
};

function escaped(source, at, end) {
  return match(ESCAPE, source, at, end) && [text(source, at + 1, at + 2), at + 2];
}

function code(source, at, end) {
  let length = 1;
  while (at + length < end && source[at + length] === "`") length += 1;
  const fence = "`".repeat(length);
  const from = at + length;
  const limit = Math.min(end, from + MAX_SPAN);
  for (let to = source.indexOf(fence, from); to >= 0 && to + length <= limit; ) {
    let after = to + length;
    while (source[after] === "`") after += 1;
    if (after === to + length) return [{ kind: "code", start: from, end: to }, after];
    to = source.indexOf(fence, after);
  }
  return [text(source, at, from), from];
}

function link(source, at, end, depth) {
  const limit = Math.min(end, at + MAX_SPAN);
  const close = source.slice(at, limit).indexOf("](");
  if (close < 1 || depth >= MAX_LINK_DEPTH) return null;
  const target = match(TARGET, source, at + close, end);
  if (!target) return null;
  const children = parseRange(source, at + 1, at + close, MAX_LINK_DEPTH); // no link within a link
  return [{ kind: "link", href: safeHref(target[1]), children }, at + close + target[0].length];
}

function autolink(source, at, end) {
  const found = match(AUTOLINK, source, at, end);
  if (!found) return null;
  const children = [text(source, at + 1, at + found[0].length - 1)];
  return [{ kind: "link", href: safeHref(found[1]), children }, at + found[0].length];
}

function address(source, at, end, depth) {
  const isInWord = at > 0 && /[\p{L}\p{N}_]/u.test(source[at - 1]);
  const found = isInWord || depth >= MAX_LINK_DEPTH ? null : match(ADDRESS, source, at, end);
  if (!found) return null;
  let { length } = found[0];
  while (AFTER_ADDRESS.has(found[0][length - 1])) length -= 1;
  const children = [text(source, at, at + length)];
  return [{ kind: "link", href: safeHref(found[0].slice(0, length)), children }, at + length];
}

function entity(source, at, end) {
  const found = match(ENTITY, source, at, end);
  if (!found) return null;
  const next = at + found[0].length;
  return [{ kind: "text", start: at, end: next, text: ENTITIES[found[0].slice(1, -1)] }, next];
}

function emphasis(source, at, end, depth) {
  const mark = [3, 2, 1].map((length) => source.slice(at, at + length)).find((each) => each in EMPHASES) ?? source[at];
  const from = at + mark.length;
  if (!(mark in EMPHASES) || depth >= MAX_DEPTH || !opens(source, at, from, end)) {
    return [text(source, at, Math.min(end, from)), Math.min(end, from)];
  }
  const to = closerOf(mark, source, from, Math.min(end, from + MAX_SPAN));
  if (to < 0) return [text(source, at, from), from];
  const children = parseRange(source, from, to, depth + 1);
  const inner = mark.length === 3 ? [{ kind: "em", children }] : children;
  return [{ kind: EMPHASES[mark], children: inner }, to + mark.length];
}

function opens(source, at, from, end) {
  if (from >= end || /\s/.test(source[from])) return false;
  const isProduct = /\d/.test(source[at - 1] ?? "") && /\d/.test(source[from]);
  if (isProduct) return false; // 2*3*4
  return source[at] !== "_" || at === 0 || !/[\p{L}\p{N}]/u.test(source[at - 1]);
}

/** Position of the mark that ends an emphasis; -1 if there is none. */
function closerOf(mark, source, from, limit) {
  const searched = source.slice(0, limit);
  let at = from;
  for (let tries = 0; tries < MAX_CLOSERS; tries += 1) {
    at = searched.indexOf(mark, at + 1);
    if (at < 0) return -1;
    const isLonger = mark.length === 1 && (source[at + 1] === mark || source[at - 1] === mark);
    const isWord = mark[0] === "_" && /[\p{L}\p{N}]/u.test(source[at + mark.length] ?? " ");
    if (!isLonger && !isWord && !/[\s\\]/.test(source[at - 1])) return at;
    if (isLonger && source[at + 1] === mark) at += 1;
  }
  return -1;
}

/** An address that may be followed; null for schemes such as `javascript:`. */
function safeHref(address) {
  try {
    const url = new URL(address);
    return LINK_SCHEMES.includes(url.protocol) ? url.href : null;
  } catch {
    return null; // a relative address has no meaning on this page
  }
}

function match(pattern, source, at, end) {
  pattern.lastIndex = at;
  const found = pattern.exec(source);
  if (found === null || at + found[0].length <= end) return found;
  return pattern === PLAIN ? [source.slice(at, end)] : null;
}

function text(source, start, end) {
  return { kind: "text", start, end, text: source.slice(start, end) };
}

/** Joins a text with the text before it, as long as both are unchanged parts of the source. */
function append(nodes, node) {
  const last = nodes.at(-1);
  const isSource = ({ kind, start, end, text: shown }) => kind === "text" && shown.length === end - start;
  if (last && isSource(last) && isSource(node) && last.end === node.start) {
    last.text += node.text;
    last.end = node.end;
  } else nodes.push(node);
}
