// The options in the address of the page: `?session=`, `?mode=`, `?player=` and `?from=start`.
// All addresses of the page are relative to it, so that it may be served below any path.

const DEFAULT_SESSION = "default";

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
