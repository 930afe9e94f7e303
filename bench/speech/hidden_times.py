"""Sentences for the bench of alignment, in languages whose voices espeak-ng has."""

ENGLISH = (
    "The committee approved a new budget of four million pounds in September.",
    "Where did you put the keys to the blue van?",
    "Although it was snowing, Martha and Tom cycled home along the frozen river.",
    "Our flight leaves at half past six, so please be at the airport by four.",
    "Bumpy roads and broken bridges made the journey miserable.",
    "No, thank you.",
    "Photography became her passion after she moved to Peru.",
    "I think that the thieves threw the vase through the window.",
    "Many happy returns, Bob!",
    "Computers process information much faster than people, but they do not understand it.",
    "He whispered something about a hidden path beneath the abbey.",
    "Fresh strawberries, cream, and a little sugar make a perfect summer dessert.",
    "Would you mind opening the window, or is it too cold for you?",
    "The museum's oldest exhibit is a small bronze horse from the fifth century.",
    "My grandmother used to play the violin in a village orchestra.",
    "Stop pushing buttons before you have read the manual.",
    "She sells beautifully painted plates, bowls, and cups at the weekly market.",
    "Yesterday's storm damaged thirty houses and knocked over an enormous pine tree.",
    "Every evening, the fishermen bring their boats back into the harbour and mend their nets.",
    "Is this the right way to the railway station?",
    "Vivian found five valuable coffee cups in a dusty attic.",
    "We ought to have known that the answer was simple.",
    "Please leave a message after the beep.",
    "The quick brown fox jumps over the lazy dog.",
)
OTHERS = {
    "de": (
        "Bitte bringen Sie morgen früh die großen Pakete mit zum Bahnhof.",
        "Im Sommer baden wir abends am liebsten im See hinter dem Berg.",
    ),
    "fr": (
        "Bonjour, pouvez-vous me parler un peu plus lentement, s'il vous plaît ?",
        "Le petit bateau part du port à midi, puis il passe sous le pont.",
    ),
    "es": (
        "El perro corre por el parque y ladra a las palomas blancas.",
        "Mi abuela prepara la mejor paella del pueblo.",
    ),
    "it": ("La bambina porta sempre la palla al parco dopo pranzo.", "Mamma mia, che sorpresa!"),
    "ru": ("Мама помыла большую белую рыбу.", "Где находится ближайшая остановка автобуса?"),
    "pl": ("Proszę podać mi mapę miasta i bilet do muzeum.", "Babcia piecze pyszne ciasto."),
    "tr": ("Bugün hava çok güzel, parka gidip biraz yürüyelim.", "Babam bana bir bisiklet aldı."),
    "hi": ("मेरा नाम मोहन है और मैं दिल्ली में रहता हूँ।", "बाबा बाज़ार से आम और पपीता लाए।"),
    "cmn": ("妈妈买了苹果和面包。", "我们明天早上八点坐飞机去北京。"),
    "pt": ("Minha mãe comprou bananas e maçãs para a festa.", "Bom dia, pode me ajudar?"),
}
"""Language tag to sentences."""
