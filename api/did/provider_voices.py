"""Names of other providers' voices, and the language and gender of each."""

import re
from dataclasses import dataclass
from functools import cache

from tts.voice import Gender

LOCALE = re.compile(
    r"([a-z]{2,3})[-_](?:[a-z]{4}[-_])?([a-z]{2}|\d{3})(?![a-z0-9])", re.IGNORECASE | re.ASCII
)
"""The beginning of Microsoft's and Google's names."""
MALE_NAMES = frozenset(
    """
    guy davis jason tony brandon christopher eric jacob roger steffan andrew brian kai ryan thomas
    alfie elliot ethan noah oliver william darren duncan ken neil tim prabhat liam conrad killian
    florian bernd christoph kasper klaus ralf jonas jan henri alain claude jerome maurice yves remy
    antoine fabrice gerard alvaro arnau dario elias nil saul teo jorge cecilio gerardo liberto
    luciano pelayo yago tomas alonso diego benigno calimero cataldo gianni giuseppe lisandro rinaldo
    antonio donato fabio humberto julio nicolau valerio duarte keita daichi naoki injoon bongjin
    gookmin hyunsu yunxi yunjian yunyang yunfeng yunhao yunye yunze yunjhe wanlung maarten arnaud
    marek dmitry ahmet mattias finn jeppe harri antonin ostap madhur hamed shakir avri nestoras
    tamas emil ardi osman nammai namminh niwat borislav srecko lukas rok nicholas
    """.split()  # noqa: SIM905 - quoted words would be hard to read
)
"""Microsoft's male voices; its other names are female."""
NEURAL = re.compile(
    r"-([a-z]+?)(?:multilingual|expressive)?(?:neural|v2|hd)*(?::|$)", re.IGNORECASE
)

_POLLY = """
    en-US joanna ivy kendra kimberly salli ruth danielle joey- justin- kevin- matthew- stephen-
    gregory-
    en-GB amy emma brian- arthur- / en-AU olivia nicole russell- / en-IN aditi raveena kajal
    en-ZA ayanda / en-NZ aria / en-IE niamh
    de-DE marlene vicki hans- daniel- / de-AT hannah
    fr-FR celine lea mathieu- remi- / fr-CA chantal gabrielle liam-
    es-ES conchita lucia enrique- sergio- / es-MX mia andres- / es-US lupe penelope miguel- pedro-
    it-IT carla bianca giorgio- adriano- / pt-BR vitoria camila ricardo- thiago-
    pt-PT ines cristiano- / nl-NL lotte laura ruben- / pl-PL maja ewa ola jacek- jan-
    ru-RU tatyana maxim- / sv-SE astrid elin / nb-NO liv ida / da-DK naja sofie mads-
    ja-JP mizuki kazuha tomoko takumi- / ko-KR seoyeon / cmn-CN zhiyu / tr-TR filiz burcu
    ca-ES arlet / fi-FI suvi / ro-RO carmen / is-IS dora karl- / cy-GB gwyneth / arb zeina
"""
"""Amazon's voices by language; a hyphen marks the male ones."""
_OPENAI: dict[str, Gender] = {
    **dict.fromkeys(("nova", "shimmer", "coral", "sage"), "female"),
    **dict.fromkeys(("echo", "onyx", "ash", "ballad", "verse"), "male"),
}
_ALIASES = {
    "iw": "he", "in": "id", "fil": "tl", "arb": "ar", "cmn": "zh", "wuu": "zh", "no": "nb",
}  # fmt: skip
"""Primary subtags, and those that the voices of this server have instead."""
LANGUAGE_NAMES = {
    "english": "en-US", "german": "de", "french": "fr", "spanish": "es", "italian": "it",
    "portuguese": "pt", "dutch": "nl", "polish": "pl", "russian": "ru", "ukrainian": "uk",
    "turkish": "tr", "swedish": "sv", "norwegian": "nb", "danish": "da", "finnish": "fi",
    "czech": "cs", "slovak": "sk", "hungarian": "hu", "romanian": "ro", "bulgarian": "bg",
    "greek": "el", "hebrew": "he", "arabic": "ar", "persian": "fa", "hindi": "hi", "bengali": "bn",
    "tamil": "ta", "telugu": "te", "urdu": "ur", "chinese": "zh", "mandarin": "zh",
    "cantonese": "yue", "japanese": "ja", "korean": "ko", "vietnamese": "vi", "indonesian": "id",
    "malay": "ms", "thai": "th", "filipino": "tl", "croatian": "hr", "serbian": "sr",
    "slovenian": "sl", "lithuanian": "lt", "latvian": "lv", "estonian": "et", "catalan": "ca",
    "icelandic": "is", "welsh": "cy", "irish": "ga", "afrikaans": "af", "swahili": "sw",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """The language and the gender of a voice."""

    language: str | None = None
    """BCP 47 tag; None: not known."""
    gender: Gender = "unknown"


def wanted(voice_id: str) -> Wanted:
    """Return the language and gender in the name of a provider's voice."""
    found = LOCALE.match(voice_id)
    if found:
        name = NEURAL.search(voice_id[found.end() :])
        return Wanted(tag_of(found.group()), _gender(name.group(1).lower() if name else ""))
    lower = voice_id.strip().lower()
    return _polly().get(lower) or Wanted(gender=_OPENAI.get(lower, "unknown"))


def language_tag(language: str) -> str | None:
    """Return the tag of a language that is given as a tag or by its English name."""
    word = language.strip().lower()
    name = word.partition("(")[0].strip()
    if name in LANGUAGE_NAMES:
        return LANGUAGE_NAMES[name]
    return tag_of(word) if re.fullmatch(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*", word) else None


def tag_of(tag: str) -> str:
    """Return a tag with the primary subtag that the voices of this server have."""
    primary, hyphen, rest = tag.replace("_", "-").partition("-")
    return f"{_ALIASES.get(primary.lower(), primary)}{hyphen}{rest}"


def language_name(tag: str) -> str:
    """Return the English name of a language; its tag if it has none here."""
    primary = tag.partition("-")[0].lower()
    names = (name for name, known in LANGUAGE_NAMES.items() if known.partition("-")[0] == primary)
    return next(names, tag).capitalize() if primary else tag


def _gender(name: str) -> Gender:
    if len(name) < 2:
        return "unknown"
    return "male" if name in MALE_NAMES else "female"


@cache
def _polly() -> dict[str, Wanted]:
    voices: dict[str, Wanted] = {}
    language = ""
    for word in _POLLY.replace("/", " ").split():
        if LOCALE.fullmatch(word) or word == "arb":
            language = tag_of(word)
        else:
            gender: Gender = "male" if word.endswith("-") else "female"
            voices[word.removesuffix("-")] = Wanted(language, gender)
    return voices
