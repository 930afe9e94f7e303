// The menu that saves the chat as a file.

import { FORMATS } from "./chat_file.js";

/** Connects the buttons in `menu`, a `<details>`; `turns()` returns the turns to save. */
export function connectSaveMenu(menu, sessionId, turns) {
  menu.addEventListener("click", ({ target }) => {
    const format = FORMATS[target.value];
    if (!format) return;
    download(new Blob([format.write(sessionId, turns())], { type: format.type }), `chat-${sessionId}.${target.value}`);
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation(); // it closes the menu and does not stop the speech
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  addEventListener("click", ({ target }) => {
    if (!menu.contains(target)) menu.open = false;
  });
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
