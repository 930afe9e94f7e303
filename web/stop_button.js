// The Stop button and its key, Escape.

const UPDATE_INTERVAL_MS = 200;

/** Connects the button to a conversation; it is enabled while there is something to stop. */
export function connectStopButton(button, conversation) {
  button.addEventListener("click", () => conversation.stop());
  addEventListener("keydown", ({ key }) => {
    const closesDialog = document.querySelector("dialog[open]") !== null;
    if (key === "Escape" && conversation.canStop && !closesDialog) conversation.stop();
  });
  setInterval(() => (button.disabled = !conversation.canStop), UPDATE_INTERVAL_MS);
}
