// The server's calls that the page makes. A refused call throws the server's own explanation.

/** A call that the server refused: the problem's `detail`, and its `kind`. */
class Refused extends Error {
  constructor({ detail, reason, kind }) {
    super(detail ?? reason);
    this.kind = kind;
  }
}

/** A call that was not answered, or not to its end. */
class NoAnswer extends Error {
  kind = "NoAnswer";

  /** `isLate`: it may come yet, but nobody waits for it any more. */
  constructor(isLate = false) {
    super("The server does not answer.");
    this.isLate = isLate;
  }
}

/** Answers as the server's JSON; throws Refused, or NoAnswer. */
export async function call(path, options) {
  const { isOk, body } = await ask(path, options);
  if (!isOk) throw new Refused(body);
  return body;
}

/** Answers as the server's JSON, whether it is well or not; throws NoAnswer. */
export async function ask(path, options) {
  const response = await answered(() => fetch(path, options));
  return { isOk: response.ok, body: await answered(() => response.json()) };
}

export function post(path, body) {
  return call(path, { method: "POST", ...json(body) });
}

/** Says a text; yields `{event, data}` as the server tells what happens, `done` at the end. */
export async function* speak(body) {
  const { headers, ...rest } = json(body);
  headers.accept = "text/event-stream, application/problem+json";
  const response = await answered(() => fetch("/speak", { method: "POST", headers, ...rest }));
  if (!response.ok) throw new Refused(await answered(() => response.json()));
  for await (const { event, data } of events(response.body)) {
    if (event === "error") throw new Refused(data);
    yield { event, data };
    if (event === "done") return;
  }
  throw new NoAnswer();
}

/** fetch throws TypeError when nobody answers, SyntaxError where a proxy does. */
async function answered(request) {
  try {
    return await request();
  } catch (error) {
    if (error.name === "TimeoutError") throw new NoAnswer(true);
    if (error instanceof TypeError || error instanceof SyntaxError) throw new NoAnswer();
    throw error;
  }
}

function json(body) {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const read = () => answered(() => reader.read());
  let rest = "";
  for (let part = await read(); !part.done; part = await read()) {
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
