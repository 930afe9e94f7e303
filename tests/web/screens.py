"""Screens of telephones and computers, and what must be in view on all of them."""

from tests.web.browsing import Page

SCREENS = {
    "small": (360, 640),
    "tall": (390, 844),
    "landscape": (844, 390),
    "small with keyboard": (360, 340),
    "tall with keyboard": (390, 480),
    "landscape with keyboard": (844, 190),
    "tablet": (820, 1180),
    "desktop": (1280, 720),
}
MIN_FACE_PX = 80
MIN_FIELD_PX = 180

LAYOUT = """
const box = (id) => document.getElementById(id).getBoundingClientRect();
const speak = document.querySelector("#composer [type=submit]").getBoundingClientRect();
const boxes = { stage: box("stage"), text: box("text"), stop: box("stop"), speak };
const outside = Object.keys(boxes).filter((name) => {
  const { left, top, right, bottom } = boxes[name];
  return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
});
const isTooWide = document.documentElement.scrollWidth > innerWidth;
return { outside, isTooWide, faceHeight: boxes.stage.height, fieldWidth: boxes.text.width };
"""


def resize(page: Page, size: tuple[int, int]) -> None:
    """Emulate a screen; windows of a desktop cannot be as small."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.wait(lambda: page.run("return innerWidth") == width)


def assert_in_view(page: Page) -> None:
    for name, size in SCREENS.items():
        resize(page, size)
        layout = page.run(LAYOUT)
        assert layout["outside"] == [], name
        assert not layout["isTooWide"], name
        assert layout["faceHeight"] >= MIN_FACE_PX, name
        assert layout["fieldWidth"] >= MIN_FIELD_PX, name
