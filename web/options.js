// The options in the address of the page: `?session=`, `?mode=`, `?player=` and `?from=start`.
// All addresses of the page are relative to it, so that it may be served below any path.

const DEFAULT_SESSION = "default";
/** Options of the page rather than of a session; what was said before is not played again. */
const KEPT = ["mode", "player"];

/** Parses a query string. `mode` and `player` are null when the page may choose one. */
export function readOptions(query) {
  const fields = new URLSearchParams(query);
  const sessionId = fields.get("session") ?? DEFAULT_SESSION;
  const isDefault = sessionId === DEFAULT_SESSION;
  return {
    sessionId,
    sessionUrl: isDefault ? "session" : `sessions/${encodeURIComponent(sessionId)}`,
    title: isDefault ? "" : sessionId,
    mode: fields.get("mode"),
    player: fields.get("player"),
    fromStart: fields.get("from") === "start", // also plays what was said before the page was opened
  };
}

/** The query string that opens another session as `query` opens this one: in the same mode, by the same player. */
export function queryOfSession(sessionId, query) {
  const fields = new URLSearchParams(query);
  const kept = KEPT.filter((name) => fields.has(name)).map((name) => [name, fields.get(name)]);
  return `?${new URLSearchParams([["session", sessionId], ...kept])}`;
}
