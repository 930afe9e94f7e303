"""Sentences that are so long that the voice `heart` speaks them in several pieces."""

SENTENCES = (
    "The harbour was full of small boats, and the men who fished from them came home before dark.",
    "Nobody in the office had expected the printer to start working again after such a long time.",
    "If you turn left behind the old theatre, you will see a yellow house with a wooden balcony.",
    "My neighbour grows tomatoes, beans and an enormous number of sunflowers on his terrace.",
    "Every morning the same woman walked her two brown dogs along the river and waved at us.",
    "We could either take the early train on Thursday or drive through the mountains on Friday.",
    "The museum lends its paintings to schools, which most people find rather surprising.",
    "When the lights went out, the musicians simply continued to play as if nothing had happened.",
    "A good mechanic listens to the engine for a while before he opens the bonnet of the car.",
    "She answered all of the questions in a calm voice, although she had hardly slept that night.",
    "Are you really certain that the parcel with the glasses was delivered to the right address?",
    "The lecture about volcanoes was so popular that it had to be repeated on the following day.",
    "He bought a used bicycle, painted it green, and rode it all the way down to the coast.",
    "Remember to water the plants in the hallway and to leave the window of the kitchen open.",
    "Winter came early that year; the lake was frozen by November, and the ferry stayed in port.",
    "Although the recipe looks complicated, you only need flour, butter, sugar and patience.",
)
