// Requests to the server. A refused request throws the server's own explanation.

const SESSION_ID = /^[\w-]{1,64}$/;

/** The server refused a request: the `detail` of its answer, its `status`, and the `kind` of the error. */
class Refused extends Error {
  constructor({ detail, reason, status, kind }) {
    super(detail ?? reason);
    this.status = status;
    this.kind = kind;
    if (kind === "AuthorizationError") location.reload(); // the server redirects to the login
  }
}

/** A request was not answered, or its answer was cut off. */
class NoResponse extends Error {
  kind = "NoResponse";

  /** `isTimeout`: the request timed out; otherwise the connection failed. */
  constructor(isTimeout = false) {
    super("The server is not responding.");
    this.isTimeout = isTimeout;
  }
}

/** Returns the JSON of the answer; throws Refused and NoResponse. */
export async function call(path, options) {
  const response = await guard(() => fetch(path, options));
  const body = await guard(() => response.json());
  if (!response.ok) throw new Refused(body);
  return body;
}

/** Returns the JSON of the answer whatever its HTTP status is; throws NoResponse. */
export async function callAnyStatus(path, options) {
  const response = await guard(() => fetch(path, options));
  return guard(() => response.json());
}

export function post(path, body) {
  return call(path, { method: "POST", ...json(body) });
}

export function put(path, body) {
  return call(path, { method: "PUT", ...json(body) });
}

/** Sends a request without a body, such as DELETE; the answer may be empty. */
export async function send(method, path) {
  const response = await guard(() => fetch(path, { method }));
  if (!response.ok) throw new Refused(await guard(() => response.json()));
}

/**
 * Posts a form with files and returns the JSON of the answer; `onProgress(share)` is called while
 * it is sent. Throws Refused and NoResponse.
 */
export function upload(path, form, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not report how much was sent
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded / total));
    request.addEventListener("error", () => reject(new NoResponse()));
    request.addEventListener("load", () => {
      const body = parseJson(request.responseText);
      if (body === null) reject(new NoResponse());
      else if (request.status >= 400) reject(new Refused(body));
      else resolve(body);
    });
    request.open("POST", path);
    request.send(form);
  });
}

/** Speaks a text; yields the server's events as `{event, data}`, the last one being `done`. */
export function speak(request) {
  return postForEvents("speak", json(request));
}

/** Asks the language model; yields the server's events as `{event, data}`, the last one being `done`. */
export function askModel(request) {
  return postForEvents("chat", json({ ...request, stream: true }));
}

/** Has the persona speak its greeting; yields as `askModel`. */
export function speakGreeting(request) {
  return postForEvents("chat/greeting", json({ ...request, stream: true }));
}

/** Yields the events of a turn of the chat from the first one on, as `askModel`. */
export function followTurn(id) {
  return requestEvents(`chat/${encodeURIComponent(id)}/events`, {});
}

/** Speaks a recording, a Blob; `fields` are those of a request to `/speak` without a text. */
export function speakRecording(recording, name, fields) {
  const body = new FormData();
  for (const [field, value] of Object.entries(fields)) body.append(field, value);
  body.append("audio", recording, name);
  return postForEvents("speak", { headers: sessionHeader(fields.session_id), body });
}

function postForEvents(path, { headers, body }) {
  headers.accept = "text/event-stream, application/problem+json";
  return requestEvents(path, { method: "POST", headers, body });
}

async function* requestEvents(path, options) {
  const response = await guard(() => fetch(path, options));
  if (!response.ok) throw new Refused(await guard(() => response.json()));
  for await (const { event, data } of events(response.body)) {
    if (event === "error") throw new Refused(data);
    yield { event, data };
    if (event === "done") return;
  }
  throw new NoResponse();
}

/** fetch throws TypeError if the network fails, and JSON SyntaxError if a proxy answers instead. */
async function guard(request) {
  try {
    return await request();
  } catch (error) {
    if (error.name === "TimeoutError") throw new NoResponse(true);
    if (error instanceof TypeError || error instanceof SyntaxError) throw new NoResponse();
    throw error;
  }
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy answered instead
  }
}

function json(body) {
  const headers = { "content-type": "application/json", ...sessionHeader(body.session_id) };
  return { headers, body: JSON.stringify(body) };
}

/** The header that names the session of a request, by which a proxy chooses its server. */
export function sessionHeader(id) {
  return SESSION_ID.test(id ?? "") ? { "x-session-id": id } : {};
}

/** Parses a body of server-sent events. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const read = () => guard(() => reader.read());
  let rest = "";
  for (let chunk = await read(); !chunk.done; chunk = await read()) {
    const blocks = (rest + chunk.value).split("\n\n");
    rest = blocks.pop();
    yield* blocks.filter((block) => !block.startsWith(":")).map(parseEvent);
  }
}

function parseEvent(block) {
  const fields = Object.fromEntries(
    block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  return { event: fields.event, data: JSON.parse(fields.data) };
}
