// The chat as a file: plain text, markdown, or JSON with times.

export const FORMATS = {
  txt: { type: "text/plain", write: (_, turns) => turns.map(asText).join("\n\n") + "\n" },
  md: { type: "text/markdown", write: writeMarkdown },
  json: { type: "application/json", write: writeJson },
};

function asText(turn) {
  return `[${timeOf(turn)}] You: ${turn.user_text}\n\nAnswer: ${turn.reply_text}${noteOf(turn)}`;
}

function writeMarkdown(sessionId, turns) {
  const parts = turns.map((turn) => `**You** (${timeOf(turn)})\n\n${turn.user_text}\n\n**Answer**\n\n${turn.reply_text}${noteOf(turn)}`);
  return [`# Chat in the session ${sessionId}`, ...parts].join("\n\n") + "\n";
}

function writeJson(sessionId, turns) {
  return JSON.stringify({ session_id: sessionId, saved: new Date().toISOString(), turns }, null, 2) + "\n";
}

function noteOf({ interrupted, heard_text: heard, state, error }) {
  if (state === "error") return `\n\n[${typeof error === "string" ? error : (error?.detail ?? "no answer")}]`;
  return interrupted ? `\n\n[interrupted; heard: ${heard ?? ""}]` : "";
}

function timeOf({ created_s: createdS }) {
  return createdS ? new Date(1000 * createdS).toISOString() : "time unknown";
}
