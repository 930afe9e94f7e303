"""The page as different people use it: their preferences, their keyboard, contrast of texts."""

from typing import Any

from selenium.webdriver import ActionChains

from tests.web.browsing import Page

MIN_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3."""

LOW_CONTRAST_TEXTS = """
// Every visible text with too little contrast to its background, and the contrast.
const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const paint = (colors) => {
  context.clearRect(0, 0, 1, 1);
  for (const color of colors) {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const luminance = (colors) => {
  const [r, g, b] = paint(colors).map((value) => linear(value / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const backgrounds = (element) => {
  if (element === null) return [];
  return [...backgrounds(element.parentElement), getComputedStyle(element).backgroundColor];
};
const textOf = (element) =>
  [...element.childNodes].map((node) => (node.nodeType === 3 ? node.data.trim() : "")).join("");
const isReadable = (element) =>
  textOf(element) && element.checkVisibility() && !element.disabled && !element.closest("#stage");
return [...document.querySelectorAll("body *")].filter(isReadable).flatMap((element) => {
  const behind = backgrounds(element);
  const both = [luminance(behind), luminance([...behind, getComputedStyle(element).color])];
  const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  return contrast < arguments[0] ? [[textOf(element), contrast]] : [];
});
"""


def prefer(page: Page, name: str, value: str) -> None:
    """Emulate a preference of the user, as style sheets see it."""
    wanted = {"features": [{"name": name, "value": value}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)


def press(page: Page, *keys: str) -> None:
    ActionChains(page.browser).send_keys(*keys).perform()


def focused(page: Page) -> str:
    """The id of the focused element, or its text if it has none."""
    return str(page.run("return document.activeElement.id || document.activeElement.textContent"))


def low_contrast_texts(page: Page) -> Any:
    """Every visible text with too little contrast to its background, and the contrast."""
    return page.run(LOW_CONTRAST_TEXTS, MIN_CONTRAST)
