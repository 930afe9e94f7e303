"""The menu of actions on its own, imported in a browser; the server is replaced."""

from typing import Any

from tests.web.browsing import browser_tests

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

MENU = """
const { ActionMenu } = await import("/web/action_menu.js");
const sent = [], shown = [], errors = [];
const answers = {
  "avatars/anna": { actions: [{ name: "wave" }, { name: "look-left" }] },
  "avatars/berta": { actions: [] },
};
window.fetch = async (path, options) => {
  sent.push([path, options?.body ?? null]);
  const refused = { ok: false, status: 404, detail: "no such action" };
  const body = answers[path] ?? refused;
  return { ok: path in answers, json: async () => body };
};
const menu = document.createElement("details");
menu.hidden = true;
menu.innerHTML = '<summary>Actions</summary><div class="menu-items"></div>';
document.body.append(menu);
const actions = new ActionMenu(menu, "paris", (error) => errors.push(error.message));
const names = () => [...menu.querySelectorAll("button")].map((one) => one.textContent);
const state = () => [menu.hidden, names()];
await actions.update({ avatar_id: "anna" });
await actions.update({ avatar_id: "anna" });
shown.push(state());
menu.open = true;
menu.querySelectorAll("button")[1].click();
await new Promise((resolve) => setTimeout(resolve));
const isOpen = menu.open;
await actions.update({ avatar_id: "berta" });
shown.push(state());
return { sent, shown, errors, isOpen };
"""


def test_the_menu_shows_the_avatars_actions_and_sends_the_chosen_one(run: Any) -> None:
    result = run(MENU)
    assert result["shown"] == [[False, ["wave", "look left"]], [True, []]]
    assert result["sent"] == [
        ["avatars/anna", None],
        ["action", '{"session_id":"paris","name":"look-left"}'],
        ["avatars/berta", None],
    ]
    assert result["errors"] == ["no such action"]
    assert not result["isOpen"]
