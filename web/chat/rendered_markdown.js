// A markdown text as elements, which grows with the text and knows where each character is shown.
//
// Elements are made one by one and texts are set as text, never as HTML: whatever a model or a user
// writes stays text.

import { parseBlocks, parseCode, splitChunks } from "./markdown_blocks.js";
import { parseInline } from "./markdown_inline.js";

const MAX_LIST_DEPTH = 6;

export class RenderedMarkdown {
  #root;
  /** Chunks in order: `{start, source, isCode, element, texts}`; `texts`: `{node, start, end}`. */
  #chunks = [];

  constructor(root) {
    this.#root = root;
  }

  /** Shows a text; what it has in common with the previous one is left as it is. */
  update(source) {
    const chunks = splitChunks(source);
    const changed = this.#chunks.findIndex((known, index) => !isSame(known, chunks[index]));
    const kept = changed < 0 ? this.#chunks.length : changed;
    this.#chunks.splice(kept).forEach(({ element }) => element.remove());
    for (const chunk of chunks.slice(kept)) {
      const shown = renderChunk(chunk);
      this.#chunks.push(shown);
      this.#root.append(shown.element);
    }
  }

  /** A DOM Range over the characters `start` to `end` of the source; null if none of them is shown. */
  rangeOf(start, end) {
    const from = this.#find(start, end, "find");
    const to = this.#find(start, end, "findLast");
    if (!from || !to) return null;
    const range = new Range();
    range.setStart(from.node, within(from, start));
    range.setEnd(to.node, within(to, end));
    return range.collapsed ? null : range;
  }

  /** The first or last shown text that has a character of `start` to `end`. */
  #find(start, end, method) {
    const overlaps = (from, to) => from < end && to > start;
    const chunk = this.#chunks[method](({ start: at, source, texts }) =>
      overlaps(at, at + source.length) && texts.some((text) => overlaps(at + text.start, at + text.end)));
    const found = chunk?.texts[method]((text) => overlaps(chunk.start + text.start, chunk.start + text.end));
    return found && { node: found.node, start: chunk.start + found.start };
  }
}

function isSame(chunk, other) {
  return chunk.start === other?.start && chunk.source === other.source;
}

function within({ node, start }, position) {
  return Math.min(node.length, Math.max(0, position - start));
}

function renderChunk(chunk) {
  const element = document.createElement("div");
  const texts = [];
  const painter = { source: chunk.source, offset: 0, texts };
  if (chunk.isCode) element.append(renderCode(painter, chunk));
  else element.append(...parseBlocks(chunk).map((block) => RENDERERS[block.kind](painter, block)));
  return { ...chunk, element, texts };
}

const RENDERERS = {
  paragraph: (painter, { start, end }) => fill(painter, document.createElement("p"), start, end),
  heading: renderHeading,
  rule: () => document.createElement("hr"),
  quote: renderQuote,
  list: renderList,
  table: renderTable,
};

/** Headings of an answer come below those of the page. */
function renderHeading(painter, { level, start, end }) {
  return fill(painter, document.createElement(`h${Math.min(6, level + 2)}`), start, end);
}

function renderQuote(painter, { lines }) {
  const quote = document.createElement("blockquote");
  quote.append(...lines.map(({ start, end }) => fill(painter, document.createElement("p"), start, end)));
  return quote;
}

function renderList(painter, { items }) {
  const root = createList(items[0]);
  const open = [{ indent: items[0].indent, list: root }];
  for (const item of items) {
    while (open.length > 1 && item.indent < open.at(-1).indent) open.pop();
    const { indent, list } = open.at(-1);
    if (item.indent > indent + 1 && list.lastElementChild && open.length < MAX_LIST_DEPTH) {
      const nested = createList(item);
      list.lastElementChild.append(nested);
      open.push({ indent: item.indent, list: nested });
    }
    open.at(-1).list.append(fill(painter, document.createElement("li"), item.start, item.end));
  }
  return root;
}

function createList({ number }) {
  const list = document.createElement(number === null ? "ul" : "ol");
  if (number !== null) list.start = number;
  return list;
}

function renderTable(painter, { rows: [header, ...rows] }) {
  const table = document.createElement("table");
  const addRow = (section, cells, kind) => {
    const row = section.insertRow();
    row.append(...cells.map(({ start, end }) => fill(painter, document.createElement(kind), start, end)));
  };
  addRow(table.createTHead(), header, "th");
  rows.forEach((cells) => addRow(table.tBodies[0] ?? table.createTBody(), cells, "td"));
  return scrollable(table, "Table");
}

function renderCode(painter, chunk) {
  const { language, lines } = parseCode(chunk);
  const code = document.createElement("code");
  lines.forEach(({ start, end }, index) => {
    const isLast = index === lines.length - 1;
    addText(painter, code, { start, end, text: painter.source.slice(start, end) + (isLast ? "" : "\n") });
  });
  const block = document.createElement("pre");
  block.append(code);
  return scrollable(block, language === "" ? "Code" : `Code: ${language}`);
}

/** A frame that scrolls sideways, also by keyboard. */
function scrollable(element, name) {
  const frame = document.createElement("div");
  frame.className = "wide";
  frame.tabIndex = 0;
  frame.role = "group";
  frame.ariaLabel = name;
  frame.append(element);
  return frame;
}

function fill(painter, element, start, end) {
  const source = painter.source.slice(start, end);
  addNodes({ source, offset: start, texts: painter.texts }, element, parseInline(source));
  return element;
}

function addNodes(painter, parent, nodes) {
  for (const node of nodes) {
    if (node.kind === "text") addText(painter, parent, node);
    else if (node.kind === "code") addCode(painter, parent, node);
    else addNested(painter, parent, node);
  }
}

function addNested(painter, parent, { kind, href, children }) {
  const element = document.createElement(kind === "link" ? "a" : kind);
  if (kind === "link" && href !== null) {
    element.href = href;
    element.target = "_blank";
    element.rel = "noopener noreferrer nofollow";
    element.title = href; // a text may claim another address
  }
  addNodes(painter, element, children);
  parent.append(element);
}

function addCode(painter, parent, { start, end }) {
  const code = document.createElement("code");
  addText(painter, code, { start, end, text: painter.source.slice(start, end) });
  parent.append(code);
}

function addText({ offset, texts }, parent, { start, end, text }) {
  const node = document.createTextNode(text);
  texts.push({ node, start: offset + start, end: offset + end });
  parent.append(node);
}
