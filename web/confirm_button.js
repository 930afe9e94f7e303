// A button whose action needs a second press as confirmation.

const TIMEOUT_MS = 4000;
const PROMPT = "Press again"; // short: it has to fit next to the download link on a telephone

/** Calls `action` when `button` is pressed twice within TIMEOUT_MS. */
export function confirmOnClick(button, action) {
  const label = button.textContent;
  const restore = () => {
    button.textContent = label;
    button.classList.remove("confirming");
  };
  button.addEventListener("click", () => {
    const isConfirmed = button.classList.contains("confirming");
    restore();
    if (isConfirmed) return action();
    button.classList.add("confirming");
    button.textContent = PROMPT;
    setTimeout(restore, TIMEOUT_MS);
  });
}
