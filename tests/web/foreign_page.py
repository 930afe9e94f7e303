"""A web server with pages of another site, and all that such a page can send to a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

EMPTY = "<!doctype html><title>Another site</title><body></body>"
REFRESH = '<!doctype html><title>Another site</title><meta http-equiv="refresh" content="0;url={}">'
LEAVING = """<!doctype html><title>Another site</title><body><script>
  const {{ reset, redirected }} = Object.fromEntries(new URLSearchParams(location.search));
  addEventListener("load", () => setTimeout(() => {{ {} }}));
</script></body>"""

ATTEMPTS = """
// Sends every request that a page can make to `target`, whose session is `session`. `hop` is an
// address of this site that redirects to its `url`, with the status `status`.
const [target, session, hop, done] = arguments;
const PATIENCE_MS = 3000;
const bounded = (promise) => Promise.race([
  promise.catch(() => {}),
  new Promise((resolve) => setTimeout(resolve, PATIENCE_MS)),
]);
const settled = (element) => new Promise((resolve) => {
  for (const name of ["load", "error", "loadedmetadata", "open", "close"]) {
    element.addEventListener(name, resolve);
  }
});
const shown = async (name, more) => {
  const element = Object.assign(document.createElement(name), more);
  const over = settled(element);
  document.body.append(element);
  await bounded(over);
  element.remove();
};
const field = (name, value) => {
  const element = document.createElement("input");
  return Object.assign(element, { name, value });
};
let forms = 0;
const sent = async (method, path, enctype, fields = [], sandbox = null) => {
  const name = `answers-${(forms += 1)}`;
  const frame = Object.assign(document.createElement("iframe"), { name });
  if (sandbox !== null) frame.sandbox = sandbox;
  const form = Object.assign(document.createElement("form"), { method, enctype });
  Object.assign(form, { action: target + path, target: name });
  form.append(...fields);
  document.body.append(frame, form);
  await bounded(settled(frame)); // its first, empty page
  const over = settled(frame);
  form.submit();
  await bounded(over);
  frame.remove();
  form.remove();
};
const opened = async (make) => {
  const connection = make();
  await bounded(settled(connection));
  connection.close();
};
const changing = ["/reset", "/interrupt", "/sessions"];
const query = `?session_id=${session}`;
const reset = `${target}/reset${query}`;
const redirected = (status, url = reset) =>
  `${hop}?status=${status}&url=${encodeURIComponent(url)}`;
const chain = redirected(302, redirected(307, redirected(301)));
const text = JSON.stringify({ text: "Nobody said this.", session_id: session });

const linked = async (rel) => {
  const link = Object.assign(document.createElement("link"), { rel, as: "image", href: reset });
  const over = settled(link);
  document.head.append(link);
  await bounded(over);
};
const elements = () => {
  const all = [];
  for (const referrerPolicy of ["no-referrer", "unsafe-url"]) {
    for (const src of [`${reset}&`, redirected(302), chain]) {
      const more = { src, referrerPolicy };
      for (const name of ["img", "iframe", "script"]) all.push(shown(name, more));
    }
  }
  for (const rel of ["stylesheet", "prefetch", "preload", "icon", "modulepreload", "prerender"]) {
    all.push(linked(rel));
  }
  all.push(shown("video", { src: reset, preload: "auto" }));
  all.push(shown("audio", { src: chain, preload: "auto", crossOrigin: "anonymous" }));
  all.push(shown("object", { data: reset }));
  all.push(shown("embed", { src: reset }));
  all.push(shown("iframe", { srcdoc: `<img src="${reset}">`, sandbox: "allow-scripts" }));
  all.push(shown("iframe", { src: `data:text/html,<img src="${reset}">` }));
  const style = Object.assign(document.createElement("style"), {
    textContent: `@import url("${reset}"); body { background: url("${reset}&a=b") }`,
  });
  document.head.append(style);
  return Promise.all(all);
};
const submissions = () => {
  const all = [];
  const encodings = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
  all.push(sent("get", "/reset", encodings[0], [field("session_id", session)]));
  for (const enctype of encodings) {
    for (const path of changing) all.push(sent("post", path + query, enctype));
    all.push(sent("post", "/reset", enctype, [field("session_id", session)], "allow-forms"));
  }
  const [name, value] = text.replace("said", "said=").split("=");
  all.push(sent("post", "/speak", "text/plain", [field(name, value)]));
  return Promise.all(all);
};
const fetches = async () => {
  const [all, posts] = [[], changing.map((path) => ["POST", path])];
  const request = (url, options) => all.push(bounded(fetch(url, options)));
  for (const [method, path] of [["GET", "/reset"], ["HEAD", "/reset"], ...posts]) {
    for (const mode of ["no-cors", "cors"]) {
      for (const credentials of ["include", "omit"]) {
        request(target + path + query, { method, mode, credentials, keepalive: true });
      }
    }
  }
  for (const [status, method] of [[302, "GET"], [307, "POST"], [308, "POST"]]) {
    for (const mode of ["no-cors", "cors"]) request(redirected(status), { method, mode });
  }
  const headers = { "content-type": "application/json" };
  for (const type of ["text/plain", "application/json", "application/x-www-form-urlencoded"]) {
    const body = new Blob([text], { type });
    request(`${target}/speak`, { method: "POST", mode: "no-cors", body });
    request(`${target}/speak`, { method: "POST", body, headers });
    navigator.sendBeacon(`${target}/speak`, body);
  }
  for (const method of ["DELETE", "PUT", "PATCH", "OPTIONS"]) {
    request(`${target}/sessions/${session}`, { method });
  }
  const older = new XMLHttpRequest();
  older.open("POST", reset);
  older.withCredentials = true;
  all.push(bounded(settled(older)));
  older.send();
  await Promise.all(all);
  return navigator.sendBeacon(reset);
};
const connections = () => Promise.all([
  opened(() => new EventSource(reset)),
  opened(() => new EventSource(reset, { withCredentials: true })),
  opened(() => new WebSocket(reset.replace("http", "ws"))),
  bounded(import(reset)),
]);
(async () => {
  await elements();
  await submissions();
  await connections();
  return fetches();
})().then(done, (error) => done(String(error)));
"""

NAVIGATIONS = {
    "a link": "location.href = reset",
    "a link without a referrer": """
        const link = Object.assign(document.createElement("a"), { href: reset, rel: "noreferrer" });
        document.body.append(link);
        link.click();
    """,
    "a redirect": "location.href = redirected",
    "a form": """
        const form = Object.assign(document.createElement("form"), { method: "post" });
        form.action = reset;
        document.body.append(form);
        form.submit();
    """,
    "replacing the page": "location.replace(reset)",
}
"""Scripts by which `/leave` leaves for its `reset`, or for `redirected`, which redirects there."""

READING = """
// Reads and changes all it can on its own origin; returns what was answered.
const [session, done] = arguments;
const own = `/sessions/${session}`;
const json = { "content-type": "application/json" };
const proxied = {
  Forwarded: "for=127.0.0.1;host=localhost;proto=https",
  "X-Forwarded-For": "127.0.0.1",
  "X-Forwarded-Host": "localhost",
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Prefix": "/talk",
  "X-Original-URL": "/session",
};
const paths = [
  "/", "/web/main.js", "/health", "/stats", "/sessions", `/session?session_id=${session}`,
  "/voices", "/avatars", "/archives",
  ...["full_session.mp4", "stream?from=0", "events?from=0"].map((name) => `${own}/${name}`),
  ...["live.m3u8", "full_session.vtt", "export.mp4"].map((name) => `${own}/${name}`),
];
const changes = [
  ["GET", `/reset?session_id=${session}`], ["POST", `/reset?session_id=${session}`],
  ["POST", `/interrupt?session_id=${session}`], ["DELETE", `/sessions/${session}`],
];
const answer = async (method, path, more) => {
  const response = await fetch(path, { method, ...more });
  return `${response.status} ${await response.text()}`;
};
(async () => {
  const answers = [];
  for (const headers of [{}, proxied]) {
    for (const path of paths) answers.push(await answer("GET", path, { headers }));
    for (const [method, path] of changes) answers.push(await answer(method, path, { headers }));
    const body = JSON.stringify({ text: "Nobody said this.", session_id: session });
    answers.push(await answer("POST", "/speak", { headers: { ...json, ...headers }, body }));
  }
  return answers;
})().then(done, (error) => done(String(error)));
"""


class OtherSite(BaseHTTPRequestHandler):
    """`/to` redirects to its `url` with its `status`, `/refresh` by a page, `/leave` by a script.

    `/leave` runs the script that its `how` names in `NAVIGATIONS`. All else is empty.
    """

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/to":
            self.send_response(int(query.get("status", ["302"])[0]))
            self.send_header("Location", query["url"][0])
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif url.path == "/refresh":
            self.reply(REFRESH.format(query["url"][0]))
        elif url.path == "/leave":
            self.reply(LEAVING.format(NAVIGATIONS[query["how"][0]]))
        else:
            self.reply(EMPTY)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def reply(self, page: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def other_site() -> Iterator[int]:
    """The port of a server with pages of another site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OtherSite) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
