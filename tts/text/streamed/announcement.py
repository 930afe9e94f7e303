"""The sentence that is spoken in place of a reply that contains nothing but code."""

from tts.text.plain_text import PlainText
from tts.text.streamed.speakable_unit import SpeakableUnit

_SENTENCES = {
    "en": "I have written it down here.",
    "de": "Ich habe es hier aufgeschrieben.",
    "fr": "Je l'ai écrit ici.",
    "es": "Lo he escrito aquí.",
    "it": "L'ho scritto qui.",
    "pt": "Escrevi aqui.",
    "nl": "Ik heb het hier opgeschreven.",
    "pl": "Zapisałem to tutaj.",
    "ru": "Вот, всё записано здесь.",
    "zh": "我写在这里了。",
    "cmn": "我写在这里了。",
    "ja": "こちらに書きました。",
    "ko": "여기에 적어 두었습니다.",
    "ar": "كتبته هنا.",
    "hi": "मैंने इसे यहाँ लिख दिया है।",
}


def announcement(language: str | None, start: int, end: int) -> SpeakableUnit | None:
    """Return the sentence for a reply in a language (BCP 47), whose code is from `start` to `end`.

    None if the language is not known.
    """
    text = _SENTENCES.get((language or "").lower().replace("_", "-").partition("-")[0])
    if text is None:
        return None
    return SpeakableUnit(PlainText(text, [start] * len(text)), start, end, True)
