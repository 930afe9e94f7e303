// The server's calls that the page makes. A refused call throws the server's own explanation.

/** A call that the server refused: the problem's `detail`, and its `kind`. */
class Refused extends Error {
  constructor({ detail, reason, kind }) {
    super(detail ?? reason);
    this.kind = kind;
  }
}

/** Answers as the server's JSON; throws Refused, or TypeError when there is no answer. */
export async function call(path, options) {
  const response = await fetch(path, options);
  const body = await response.json();
  if (!response.ok) throw new Refused(body);
  return body;
}

export function post(path, body) {
  return call(path, { method: "POST", ...json(body) });
}

/** Says a text; yields `{event, data}` as the server tells what happens. */
export async function* speak(body) {
  const { headers, ...rest } = json(body);
  headers.accept = "text/event-stream, application/problem+json";
  const response = await fetch("/speak", { method: "POST", headers, ...rest });
  if (!response.ok) throw new Refused(await response.json());
  for await (const { event, data } of events(response.body)) {
    if (event === "error") throw new Refused(data);
    yield { event, data };
  }
}

function json(body) {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const blocks = (rest + part.value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield parse(block);
  }
}

function parse(block) {
  const fields = Object.fromEntries(
    block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  return { event: fields.event, data: JSON.parse(fields.data) };
}
