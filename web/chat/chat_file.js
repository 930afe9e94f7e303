// The chat as a file: plain text, markdown, or JSON with times.

export const FORMATS = {
  txt: { type: "text/plain", write: writeText },
  md: { type: "text/markdown", write: writeMarkdown },
  json: { type: "application/json", write: writeJson },
};

function writeText(_, turns) {
  return turns.map((turn) => `${questionOf(turn, "You")}Answer: ${answerOf(turn)}\n`).join("\n");
}

function writeMarkdown(sessionId, turns) {
  const parts = turns.map((turn) => `${questionOf(turn, "**You**")}**Answer**\n\n${answerOf(turn)}`);
  return `${[`# Chat in the session ${sessionId}`, ...parts].join("\n\n")}\n`;
}

function writeJson(sessionId, turns) {
  return `${JSON.stringify({ session_id: sessionId, saved_at: new Date().toISOString(), turns }, null, 2)}\n`;
}

function questionOf({ user_text: text, created_at: time }, name) {
  return text === "" ? "" : `${name} (${time}):\n\n${text}\n\n`;
}

/** The answer as it was written, and what became of it. */
function answerOf({ reply_text: reply, heard_text: heard = "", interrupted, status, error }) {
  if (status === "error") return `${reply}\n\n[error: ${error?.description ?? "no answer"}]`;
  return interrupted ? `${reply}\n\n[interrupted; heard: ${heard}]` : reply;
}
