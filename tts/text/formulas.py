"""Formulas in TeX, as language models write them, to signs that the normaliser reads."""

import re
from collections.abc import Iterator

from tts.text.draft import Draft, Edit

_FORMULA = re.compile(
    r"\$\$(?=\S)?([^$]{1,1000})\$\$|\\\[(.{1,1000}?)\\\]|\\\((.{1,500}?)\\\)"
    r"|(?<![\w\\$])\$(?![\s$])([^$\n]{0,300}?[^\s$\\])\$(?![\w$])"
    r"|\\begin\{(?:align|equation|gather|multline|eqnarray|cases)\*?\}(.{1,1000}?)\\end\{\w+\*?\}",
    re.DOTALL,
)
_IS_FORMULA = re.compile(r"[\\^_=+*/<>{}]|^-?\w$|^\w[\s-]+\w$|\w\(")
"""Signs that a text between single dollars is a formula, not a price."""
_GROUP = r"\{([^{}]*)\}"
_FRACTION = re.compile(rf"\\[dt]?frac\s*{_GROUP}\s*{_GROUP}")
_ROOT = re.compile(rf"\\sqrt\s*(?:\[[^\]]*\])?\s*{_GROUP}")
_TEXT = re.compile(rf"\\(?:text|mathrm|mathbf|mathit|mathbb|operatorname|textbf|boxed)\s*{_GROUP}")
_INDEX = re.compile(rf"_(?:{_GROUP}|(\w))")
_COMMAND = re.compile(r"\\([A-Za-z]+|.)\s?")
_MOST_NESTED = 8
_SIGNS = {
    "times": "×", "cdot": "×", "ast": "×", "div": "÷", "leq": "≤", "le": "≤", "geq": "≥",
    "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈", "sim": "≈", "pm": "±", "infty": "∞",
    "to": "→", "rightarrow": "→", "Rightarrow": "→", "mapsto": "→", "lt": "<", "gt": ">",
    "left": "", "right": "", "big": "", "Big": "", "quad": " ", "qquad": " ", ",": " ", ";": " ",
    "!": "", ":": " ", " ": " ", "\\": ", ", "displaystyle": "", "limits": "", "%": "%", "$": "$",
    "&": "&", "#": "#", "_": " ", "{": "", "}": "", "degree": "°", "circ": "°", "ldots": "…",
    "cdots": "…", "dots": "…", "begin": "", "end": "",
}  # fmt: skip
_GREEK = dict(
    zip(
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "phi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Pi",
            "Sigma",
            "Phi",
            "Psi",
            "Omega",
        ],
        "αβγδεζηθικλμνξπρστφχψωΓΔΘΛΠΣΦΨΩ",
        strict=True,
    )
)


def math_edits(draft: Draft) -> Iterator[Edit]:
    """Replace formulas outside of inline code."""
    for match in _FORMULA.finditer(draft.pattern):
        line = draft.pattern.rfind("\n", 0, match.start()) + 1
        source = next(group for group in match.groups() if group is not None)
        is_code = draft.pattern.count("`", line, match.start()) % 2 == 1
        if is_code or (match.group(4) is not None and not _IS_FORMULA.search(source)):
            continue
        yield Edit(*match.span(), formula_text(source), is_protected=True)


def formula_text(source: str) -> str:
    """Return a formula with one sign for each command."""
    text = source
    for _ in range(_MOST_NESTED):
        before = text
        text = _TEXT.sub(r" \1 ", text)
        text = _FRACTION.sub(lambda match: f"{_part(match[1])} ÷ {_part(match[2])}", text)
        text = _ROOT.sub(lambda match: f"√{_part(match[1])}", text)
        if text == before:
            break
    text = _INDEX.sub(lambda match: f" {match.group(1) or match.group(2)} ", text)
    text = _COMMAND.sub(lambda match: _sign(match.group(1)), text)
    text = text.replace("{", "").replace("}", "").replace("*", "×").replace("&", " ")
    return " ".join(text.split()).replace(" )", ")").replace("( ", "(")


def _part(text: str) -> str:
    """Return a part of a fraction, in brackets if it has an operator."""
    text = text.strip()
    return f"({text})" if re.search(r"[-+*/=]", text[1:]) else text


def _sign(command: str) -> str:
    return _SIGNS.get(command, _GREEK.get(command, command)) + " "
