"""Samples of voices: a sentence in the language of each voice."""

from tts.languages import look_up

NUMBERS = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."
"""Spoken in a language without a sentence here: every voice knows its numbers."""
SENTENCES = {
    "en": "Hello, nice to meet you. This is how I sound when I talk with you.",
    "de": "Hallo, schön, Sie kennenzulernen. So klingt meine Stimme im Gespräch.",
    "fr": "Bonjour, ravi de vous rencontrer. Voici ma voix dans une conversation.",
    "es": "Hola, mucho gusto. Así suena mi voz en una conversación.",
    "it": "Ciao, piacere di conoscerti. Questa è la mia voce in una conversazione.",
    "pt": "Olá, muito prazer. Esta é a minha voz numa conversa.",
    "nl": "Hallo, leuk u te ontmoeten. Zo klinkt mijn stem in een gesprek.",
    "sv": "Hej, trevligt att träffas. Så här låter min röst i ett samtal.",
    "nb": "Hei, hyggelig å møte deg. Slik høres stemmen min ut i en samtale.",
    "da": "Hej, rart at møde dig. Sådan lyder min stemme i en samtale.",
    "fi": "Hei, hauska tavata. Tältä ääneni kuulostaa keskustelussa.",
    "pl": "Dzień dobry, miło mi. Tak brzmi mój głos w rozmowie.",
    "cs": "Dobrý den, těší mě. Takhle zní můj hlas v rozhovoru.",
    "hu": "Jó napot, örülök, hogy megismerhetem. Így hangzik a hangom beszélgetés közben.",
    "ro": "Bună ziua, îmi pare bine. Așa sună vocea mea într-o conversație.",
    "tr": "Merhaba, tanıştığımıza memnun oldum. Konuşurken sesim böyle.",
    "el": "Γεια σας, χαίρω πολύ. Έτσι ακούγεται η φωνή μου σε μια συζήτηση.",
    "ru": "Здравствуйте, приятно познакомиться. Так звучит мой голос в разговоре.",
    "uk": "Вітаю, приємно познайомитися. Так звучить мій голос у розмові.",
    "ar": "مرحبا، سعيد بلقائك. هكذا يبدو صوتي في الحديث.",
    "he": "שלום, נעים להכיר. כך נשמע הקול שלי בשיחה.",
    "hi": "नमस्ते, आपसे मिलकर अच्छा लगा। बातचीत में मेरी आवाज़ ऐसी है।",
    "cmn": "你好，很高兴认识你。这就是我说话的声音。",
    "ja": "こんにちは、はじめまして。これが私の声です。",
    "ko": "안녕하세요, 반갑습니다. 제 목소리는 이렇습니다.",
    "vi": "Xin chào, rất vui được gặp bạn. Đây là giọng nói của tôi.",
    "id": "Halo, senang bertemu dengan Anda. Beginilah suara saya saat berbicara.",
}


def sample_text(language: str) -> str:
    """Return what a voice says to present itself in a language (BCP 47)."""
    return SENTENCES.get(look_up(language, SENTENCES) or "", NUMBERS)
