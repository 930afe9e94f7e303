"""From the idle face to the film and back: no picture jumps."""

from itertools import pairwise

from tests.web.browsing import Page, browser_tests, head_jumps, head_steps

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests


LOOK_AWAY = """
// Until the film comes the idle face shows pictures whose head is far from the film's first.
const idle = document.getElementById("idle");
const lookAway = () => {
  if (idle.currentTime < 3.2 || idle.currentTime > 5.5) idle.currentTime = 3.3;
};
lookAway();
const looking = setInterval(lookAway, 50);
document.getElementById("film").addEventListener("playing", () => clearInterval(looking));
"""
FILM_HEAD_X = 36
"""Where the head is in the film's first picture, pixels."""
BACK = ["change", "idle"]
DRY_S = 0.3
"""With less than this to show, a player may stand still."""


def look_away(page: Page) -> None:
    """Let the idle head be about 20 pixels from where the film will have it."""
    page.run(LOOK_AWAY)
    page.wait(lambda: not page.idle("seeking") and page.idle("currentTime") > 3.2)


def test_the_head_glides_from_the_idle_face_into_the_film(page: Page) -> None:
    page.watch()
    look_away(page)
    page.say("Good morning to you")
    page.hear_out()
    looks = page.looks()
    first = next(at for at, look in enumerate(looks) if look["seen"] == "change")
    arrived = next(at for at, look in enumerate(looks) if look["seen"] == "film")
    change = looks[first - 1 : arrived + 1]
    assert change[0]["seen"] == "idle"
    assert change[0]["head"] - FILM_HEAD_X > 8  # what a cut would jump
    assert {look["seen"] for look in change[1:-1]} <= {"change", "idle"}
    comebacks = [one for one, next_ in pairwise(change) if [one["seen"], next_["seen"]] == BACK]
    assert all(look["left"] < DRY_S for look in comebacks)  # a film that came too slowly
    assert max(head_jumps(change)) < 1


def test_the_film_ends_on_the_picture_with_which_the_idle_face_goes_on(page: Page) -> None:
    page.watch()
    page.say("One two three four")
    page.hear_out()
    page.wait(lambda: page.looks()[-1]["seen"] == "idle")
    looks = page.looks()
    last_of_film = [look for look in looks if look["seen"] == "film"][-1]
    after = looks[looks.index(last_of_film) :][:20]
    assert max(abs(look["grey"] - last_of_film["grey"]) for look in after) <= 12  # eight frames
    assert max(head_steps(after)) < 2


def test_where_nothing_can_be_drawn_the_film_fades_in(page: Page) -> None:
    page.run(
        "const gl = document.getElementById('handover').getContext('webgl');"
        "gl.getExtension('WEBGL_lose_context').loseContext()"
    )
    page.watch()
    page.say("Good morning to you")
    page.hear_out()
    assert {look["seen"] for look in page.looks()} == {"idle", "fade", "film"}
