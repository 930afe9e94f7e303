// The blocks of a markdown text: paragraphs, headings, lists, quotations, tables and code.

const BLANK = /^[ \t]*$/;
const FENCE = /^[ \t]*(`{3,}|~{3,})[ \t]*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const QUOTE = /^ {0,3}>[ \t]?/;
const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+/;
const DELIMITER_ROW = /^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
/** Longest line that can be the delimiter row of a table. */
const MAX_DELIMITER_ROW = 500;
const MAX_COLUMNS = 40;
/** Longest chunk, except code, in characters: more would take too long to render again and again. */
const MAX_CHUNK = 8000;

/**
 * Divides a text into chunks that are independent of one another: at blank lines, around code, and
 * where a chunk would become very long. Each is `{start, source, isCode, isContinued}`; `isContinued`:
 * it begins within a line. Only the last one changes while a text grows.
 */
export function splitChunks(source) {
  const chunks = [];
  let open = null;
  const close = (end) => {
    const { start, fence } = open ?? {};
    const isContinued = start > 0 && source[start - 1] !== "\n";
    if (open) chunks.push({ start, source: chomp(source.slice(start, end)), isCode: fence !== null, isContinued });
    open = null;
  };
  for (const line of linesOf(source, MAX_CHUNK)) {
    const isInCode = Boolean(open?.fence);
    if (isInCode && isClosing(line.text, open.fence)) close(line.end);
    if (isInCode) continue;
    const isContinued = line.start > 0 && source[line.start - 1] !== "\n";
    const fence = isContinued ? null : (FENCE.exec(line.text)?.[1] ?? null);
    const isBlank = BLANK.test(line.text);
    if (fence || isBlank || line.end - open?.start > MAX_CHUNK) close(line.start);
    if (!isBlank) open ??= { start: line.start, fence };
  }
  close(source.length);
  return chunks;
}

/** The language and the lines `{start, end}` of a chunk of code, without the indentation of its fence. */
export function parseCode({ source }) {
  const [first, ...lines] = linesOf(source);
  const [, fence, language] = FENCE.exec(first.text);
  const indent = first.text.length - first.text.trimStart().length;
  if (lines.length > 0 && isClosing(lines.at(-1).text, fence)) lines.pop();
  const isBlankTo = (line) => line.text.length - line.text.trimStart().length;
  const cut = (line) => ({ start: line.start + Math.min(indent, isBlankTo(line)), end: line.end });
  return { language: language.trim().split(/\s/)[0], lines: lines.map(cut) };
}

/**
 * Parses a chunk that is no code into blocks with ranges of the chunk: `{kind: "paragraph" |
 * "heading", start, end}`, `{kind: "rule"}`, `{kind: "quote", lines}`, `{kind: "list", items}` with
 * items `{indent, number, start, end}`, and `{kind: "table", rows}` with cells `{start, end}`.
 */
export function parseBlocks({ source, isContinued }) {
  const lines = linesOf(source);
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    at += at === 0 && isContinued ? takeParagraph(lines, at, blocks) : takeBlock(lines, at, blocks);
  }
  return blocks;
}

/** Adds the block that begins at a line; returns the number of its lines. */
function takeBlock(lines, at, blocks) {
  const line = lines[at];
  const heading = HEADING.exec(line.text);
  if (heading) {
    const start = line.start + heading[0].length;
    blocks.push({ kind: "heading", level: heading[1].length, start, end: endOfHeading(line, start) });
    return 1;
  }
  if (RULE.test(line.text)) return blocks.push({ kind: "rule" }), 1;
  if (QUOTE.test(line.text)) return takeQuote(lines, at, blocks);
  if (ITEM.test(line.text)) return takeList(lines, at, blocks);
  if (isTable(lines, at)) return takeTable(lines, at, blocks);
  return takeParagraph(lines, at, blocks);
}

/** A heading may end with number signs, which are not part of its text. */
function endOfHeading({ start: lineStart, text }, start) {
  let end = text.trimEnd().length;
  while (text[end - 1] === "#") end -= 1;
  if (!/[ \t]/.test(text[end - 1])) end = text.trimEnd().length;
  return Math.max(start, lineStart + text.slice(0, end).trimEnd().length);
}

function takeQuote(lines, at, blocks) {
  const quoted = takeWhile(lines, at, (line) => QUOTE.test(line.text));
  const inner = quoted.map(({ start, end, text }) => ({ start: start + QUOTE.exec(text)[0].length, end }));
  blocks.push({ kind: "quote", lines: inner });
  return quoted.length;
}

function takeList(lines, at, blocks) {
  const listed = takeWhile(lines, at, (line, index) => ITEM.test(line.text) || !startsBlock(lines, at + index));
  const items = [];
  for (const { start, end, text } of listed) {
    const item = ITEM.exec(text);
    if (item) items.push({ ...describeItem(item), start: start + item[0].length, end });
    else items.at(-1).end = end;
  }
  blocks.push({ kind: "list", items });
  return listed.length;
}

function describeItem([, indent, mark]) {
  const number = Number.parseInt(mark, 10);
  return { indent: indent.replaceAll("\t", "    ").length, number: Number.isNaN(number) ? null : number };
}

function takeTable(lines, at, blocks) {
  const rows = takeWhile(lines, at, (line, index) => index < 2 || line.text.includes("|"));
  const [header, , ...body] = rows;
  blocks.push({ kind: "table", rows: [header, ...body].map(cellsOf) });
  return rows.length;
}

function takeParagraph(lines, at, blocks) {
  const taken = takeWhile(lines, at, (_, index) => index === 0 || !startsBlock(lines, at + index));
  blocks.push({ kind: "paragraph", start: lines[at].start, end: taken.at(-1).end });
  return taken.length;
}

function startsBlock(lines, at) {
  const { text } = lines[at];
  return [HEADING, RULE, QUOTE, ITEM].some((pattern) => pattern.test(text)) || isTable(lines, at);
}

function isTable(lines, at) {
  const next = lines[at + 1]?.text ?? "";
  const mayBeRow = next.includes("-") && next.length < MAX_DELIMITER_ROW;
  return mayBeRow && lines[at].text.includes("|") && DELIMITER_ROW.test(next);
}

/** The cells of a row: its parts between bars that are not escaped. */
function cellsOf({ start, text }) {
  const bars = [...text.matchAll(/(?<!\\)\|/g)].map(({ index }) => index);
  const [isOpened, isClosed] = [/^\s*\|/.test(text), bars.length > 1 && text.trimEnd().endsWith("|")];
  const edges = [...(isOpened ? [] : [-1]), ...bars, ...(isClosed ? [] : [text.length])];
  const cells = edges.slice(1).map((edge, index) => trimRange(text, edges[index] + 1, edge));
  return cells.slice(0, MAX_COLUMNS).map((cell) => ({ start: start + cell.start, end: start + cell.end }));
}

function trimRange(text, start, end) {
  const inner = text.slice(start, end);
  const first = start + inner.length - inner.trimStart().length;
  return { start: first, end: Math.max(first, start + inner.trimEnd().length) };
}

function takeWhile(lines, at, belongs) {
  let count = 1;
  while (at + count < lines.length && belongs(lines[at + count], count)) count += 1;
  return lines.slice(at, at + count);
}

function isClosing(text, fence) {
  const trimmed = text.trim();
  return trimmed.startsWith(fence) && trimmed === fence[0].repeat(trimmed.length);
}

/**
 * The lines of a text with their ranges, without their line breaks. Lines of more than `maxLength`
 * characters are cut, if possible at a space.
 */
function linesOf(source, maxLength = Infinity) {
  const lines = [];
  for (let start = 0; start < source.length || start === 0; ) {
    const found = source.indexOf("\n", start);
    const end = found < 0 ? source.length : found;
    const isLong = end - start > maxLength;
    const to = isLong ? cutBefore(source, start, start + maxLength) : end;
    const hasReturn = !isLong && source[to - 1] === "\r";
    const text = source.slice(start, hasReturn ? Math.max(start, to - 1) : to);
    lines.push({ start, end: start + text.length, text });
    start = isLong ? to : end + 1;
  }
  return lines;
}

/** The position after the last space before `limit`, or `limit` where there is none. */
function cutBefore(source, start, limit) {
  const space = source.slice(start, limit).lastIndexOf(" ");
  return space > 0 ? start + space + 1 : limit;
}

/** A text without the line break at its end. */
function chomp(text) {
  return text.replace(/\r?\n$/, "");
}
