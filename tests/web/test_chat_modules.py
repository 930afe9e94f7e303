"""Modules of the chat on their own, imported in a browser."""

from typing import Any

import pytest

from tests.web.browsing import browser_tests

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

RENDER = r"""
const { RenderedMarkdown } = await import("/web/chat/rendered_markdown.js");
const root = document.createElement("div");
const rendered = new RenderedMarkdown(root);
for (let end = 0; end < arguments[0].length; end += arguments[1]) {
  rendered.update(arguments[0].slice(0, end));
}
rendered.update(arguments[0]);
const words = arguments[2] ?? [];
const places = words.map((word) => arguments[0].indexOf(word));
const ranges = words.map((word, at) => rendered.rangeOf(places[at], places[at] + word.length));
const html = root.innerHTML.replaceAll(/<\/?div>| (target|rel|title|tabindex|role)="[^"]*"/g, "");
return [html, ranges.map(String)];
"""
MARKDOWN = {
    "**b** *i* ***bi*** ~~d~~ `a*b` snake_case 2*3*4 a\\*b": (
        "<p><strong>b</strong> <em>i</em> <strong><em>bi</em></strong> <del>d</del> "
        "<code>a*b</code> snake_case 2*3*4 a*b</p>"
    ),
    "<b> &lt;i&gt; **open": "<p>&lt;b&gt; &lt;i&gt; **open</p>",
    "[a](JavaScript:x) [b](data:text/html,x) [c](/x) [d](https://e.org/x_(y))": (
        '<p><a>a</a> <a>b</a> <a>c</a> <a href="https://e.org/x_(y)">d</a></p>'
    ),
    "See https://e.org/a. Or <https://e.org>": (
        '<p>See <a href="https://e.org/a">https://e.org/a</a>. '
        'Or <a href="https://e.org/">https://e.org</a></p>'
    ),
    "# One #\n### Two\n---\n> said\n> again": (
        "<h3>One</h3><h5>Two</h5><hr><blockquote><p>said</p><p>again</p></blockquote>"
    ),
    "Two:\n- a\n  1. b\n- c\n\n3. d\nlazy": (
        '<p>Two:</p><ul><li>a<ol start="1"><li>b</li></ol></li><li>c</li></ul>'
        '<ol start="3"><li>d\nlazy</li></ol>'
    ),
    "| a | b |\n|---|:-:|\n| 1 \\| x | **2** |\nend": (
        '<div class="wide" aria-label="Table"><table><thead><tr><th>a</th><th>b</th></tr></thead>'
        "<tbody><tr><td>1 | x</td><td><strong>2</strong></td></tr></tbody></table><p>end</p>"
    ),
    "a\r\n\r\n```py\n<x>\n\n  y\n```\nb": (
        '<p>a</p><div class="wide" aria-label="Code: py"><pre><code>&lt;x&gt;\n\n  y</code></pre>'
        "<p>b</p>"
    ),
}
HARD = [
    "x " + sign * 20_000 for sign in ("[", "`", "*", "_a ", "<", "](", "\\", "x", "- ", "|", ">")
]
HARD += ["> a\n" * 5_000, "- a\n" * 5_000, "a\n\n" * 5_000, "|a|\n|-|\n" + "|1|\n" * 5_000]
LONG_ANSWERS = """
const { RenderedMarkdown } = await import("/web/chat/rendered_markdown.js");
return arguments[0].map((source) => {
  const root = document.createElement("div");
  new RenderedMarkdown(root).update(source);
  return root.textContent.length;
});
"""
FETCHING = """
const { ModelPanel } = await import("/web/chat/model_panel.js");
const page = await (await fetch("/")).text();
const parsed = new DOMParser().parseFromString(page, "text/html");
const root = document.importNode(parsed.getElementById("model"), true);
document.body.append(root);
const find = (name) => root.querySelector(`#model-${name}`);
const state = { name: "Tiny", kind: "embedded", is_demo: true, licence: "MIT", detail: "98 MB." };
const phases = [["absent", null], ["absent", null], ["fetching", 0.4], ["ready", null]];
const requests = [];
const realFetch = window.fetch;
window.fetch = async (path, { method = "GET" } = {}) => {
  requests.push(`${method} ${path}`);
  const [phase, progress] = phases.length > 1 ? phases.shift() : phases[0];
  return Response.json({ ...state, phase, progress });
};
const seen = () => [
  root.dataset.phase, find("line").textContent, find("bar").value, find("actions").hidden,
];
const panel = new ModelPanel(root);
const results = [await panel.findOff(), seen(), panel.isPresent(), [...requests]];
find("prepare").click();
const until = async (phase) => {
  for (let left = 200; root.dataset.phase !== phase; left -= 1) {
    if (left === 0) throw new Error(`the phase is ${root.dataset.phase}, not ${phase}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return seen();
};
results.push(await until("fetching"), await until("ready"), panel.isPresent(), requests);
window.fetch = realFetch;
root.remove();
return results;
"""


@pytest.mark.parametrize("piece_chars", [1, 1000])
def test_markdown_is_rendered_the_same_however_it_arrives(run: Any, piece_chars: int) -> None:
    for source, html in MARKDOWN.items():
        assert run(RENDER, source, piece_chars)[0] == html, source


def test_the_shown_text_of_a_part_of_an_answer_is_found(run: Any) -> None:
    source = "One **two** three.\n\n```\nfour\n```\n\n- [five](https://e.org) six"
    words = ["**two** th", "four", "[five](https://e.org) s", "**", "three.\n\n```\nfo"]
    assert run(RENDER, source, 1000, words)[1] == ["two th", "four", "five s", "null", "three.fo"]


def test_hostile_answers_of_many_kinds_are_shown_whole(run: Any) -> None:
    """Catches searches that take quadratic time: the script would time out."""
    lengths = run(LONG_ANSWERS, HARD)
    assert all(length >= 2_000 for length in lengths), lengths


def test_a_missing_model_is_fetched_only_when_the_button_is_pressed(run: Any) -> None:
    off, absent, is_present, before, fetching, ready, is_present_now, requests = run(FETCHING)
    assert (off, is_present, is_present_now) == (None, False, True)
    assert before == ["GET chat/model"]
    phase, line, _, no_actions = absent
    assert (phase, no_actions) == ("absent", False)
    assert line == "Tiny, a small demo model (MIT). 98 MB."
    assert fetching[:3] == ["fetching", "Fetching Tiny: 40 % (98 MB.)", 0.4]
    assert ready[0] == "ready"
    assert "POST chat/model/prepare" in requests
