// The key with which the page is logged in.

import { call, send } from "./server.js";

/** Shows the button, titled with the key's name, if the server requires keys; it logs out. */
export async function showAccount(button) {
  const { name } = await call("caller");
  button.hidden = name === "";
  button.title = `Logged in with the key ${name}`;
  button.addEventListener("click", async () => {
    await send("POST", "logout");
    location.reload(); // the server redirects to the login
  });
}
