"""Transitions between the idle face and the film: the head does not jump."""

from itertools import pairwise

from selenium.webdriver import Chrome

from tests.web.browsing import Page, browser_tests, head_jumps, head_steps, on_every_page

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

KEEP_HEAD_AWAY = """
// Until the film starts, keeps the idle video at frames whose head is far from the film's first.
const idle = document.getElementById("idle");
const keepAway = () => {
  if (idle.currentTime < 3.2 || idle.currentTime > 5.5) idle.currentTime = 3.3;
};
keepAway();
const interval = setInterval(keepAway, 50);
document.getElementById("film").addEventListener("playing", () => clearInterval(interval));
"""
LOSE_WEBGL = """
const gl = document.getElementById("morph").getContext("webgl");
gl.getExtension("WEBGL_lose_context").loseContext();
"""
REFUSE_POSES = """
// The first request for the poses is refused, and the second one is lost.
const plain = window.fetch;
window.poseRequests = 0;
window.fetch = (address, ...others) => {
  if (!String(address).endsWith("/path.json")) return plain(address, ...others);
  window.poseRequests += 1;
  const busy = Response.json({ detail: "busy" }, { status: 503 });
  if (window.poseRequests === 1) return Promise.resolve(busy);
  if (window.poseRequests === 2) return Promise.reject(new TypeError("Failed to fetch"));
  return plain(address, ...others);
};
"""
RESOURCES = "return performance.getEntriesByType('resource').map(({ name }) => name).join()"
FILM_HEAD_X = 36
"""Position of the head in the film's first frame, pixels."""
UNDERRUN = ["morph", "idle"]
UNDERRUN_S = 0.3
"""With less film than this left, a player may stand still."""


def keep_head_away(page: Page) -> None:
    """Keep the idle head about 20 pixels from its position in the film's first frame."""
    page.run(KEEP_HEAD_AWAY)
    page.wait(lambda: not page.idle("seeking") and page.idle("currentTime") > 3.2)


def test_the_head_moves_smoothly_from_the_idle_face_into_the_film(page: Page) -> None:
    page.record()
    keep_head_away(page)
    page.say("Good morning to you")
    page.wait_for_speech()
    samples = page.samples()
    first = next(at for at, sample in enumerate(samples) if sample["visible"] == "morph")
    arrived = next(at for at, sample in enumerate(samples) if sample["visible"] == "film")
    transition = samples[first - 1 : arrived + 1]
    assert transition[0]["visible"] == "idle"
    assert transition[0]["head"] - FILM_HEAD_X > 8  # a cut would jump as far
    assert {sample["visible"] for sample in transition[1:-1]} <= {"morph", "idle"}
    underruns = [
        one for one, after in pairwise(transition) if [one["visible"], after["visible"]] == UNDERRUN
    ]
    assert all(sample["left"] < UNDERRUN_S for sample in underruns)
    assert max(head_jumps(transition)) < 1


def test_the_idle_face_continues_at_the_last_frame_of_the_film(page: Page) -> None:
    page.record()
    page.say("One two three four")
    page.wait_for_speech()
    page.wait(lambda: page.samples()[-1]["visible"] == "idle")
    samples = page.samples()
    last_of_film = [sample for sample in samples if sample["visible"] == "film"][-1]
    after = samples[samples.index(last_of_film) :][:20]
    greys = [abs(sample["grey"] - last_of_film["grey"]) for sample in after]
    assert max(greys) <= 12  # eight frames
    assert max(head_steps(after)) < 2


def test_a_stopped_film_is_left_without_a_jump(page: Page) -> None:
    page.say("This sentence takes about three seconds, all in all. " * 5)
    page.wait_until_speaking(after_s=1.5)
    page.record()
    page.click("stop")
    page.wait(lambda: not page.is_speaking() and page.samples()[-1]["visible"] == "idle")
    assert max(head_steps(page.samples())) < 2


def test_the_film_fades_in_without_webgl(page: Page) -> None:
    page.run(LOSE_WEBGL)
    page.record()
    page.say("Good morning to you")
    page.wait_for_speech()
    assert page.visible() == {"idle", "fade", "film"}


def test_poses_that_the_server_refuses_are_requested_again(browser: Chrome, port: int) -> None:
    with on_every_page(browser, REFUSE_POSES):
        page = Page(browser, port, "refused-poses")
        page.wait(lambda: page.run("return window.poseRequests") == 3)
        page.wait(lambda: "/path.json" in page.run(RESOURCES))
        page.record()
        keep_head_away(page)
        page.say("Good morning to you")
        page.wait_for_speech()
        assert "morph" in page.visible()
        assert page.run("return window.poseRequests") == 3
        assert page.console_errors() == []
