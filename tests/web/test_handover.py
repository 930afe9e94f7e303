"""From the idle face to the film and back: no picture jumps."""

from browsing import Page, browser_tests, head_jumps, head_steps

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests


def far_from_the_film(page: Page) -> None:
    """Let the idle face look at a picture whose head is 20 pixels from that of the film's first."""
    page.run("document.getElementById('idle').currentTime = 3.3")
    page.wait(lambda: not page.idle("seeking") and page.idle("currentTime") > 3.3)


def test_the_head_glides_from_the_idle_face_into_the_film(page: Page) -> None:
    page.watch()
    far_from_the_film(page)
    page.say("Good morning to you")
    page.hear_out()
    looks = page.looks()
    before = [look for look in looks if look["seen"] == "idle" and look["grey"] > 150][-1]
    since = looks[looks.index(before) :]
    arrived = next(look for look in since if look["seen"] == "film")
    assert before["head"] - arrived["head"] > 12  # what a cut would jump
    change = since[: since.index(arrived) + 1]
    assert {look["seen"] for look in change[1:-1]} == {"change"}
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
