"""Sentences for measurements of the voice `heart`."""

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
"""Sentences that are spoken in several pieces."""

LONG_SENTENCES = (
    "The committee, which had met every week since the beginning of March, could not agree on the "
    "date of the next conference, so the chairman decided to postpone the decision.",
    "When the old lighthouse was finally closed in the winter of that year, nobody in the village "
    "expected that a young couple from the city would buy it, and turn it into a hotel.",
    "I wanted to call you yesterday evening, but then my sister arrived with her three children "
    "and two enormous suitcases, and after dinner it was already much too late.",
    "The new library has large windows towards the park, comfortable chairs in every corner, and "
    "a small cafe on the ground floor, which is why so many students go there.",
    "If the weather stays as warm as it has been for the last two weeks, we might be able to swim "
    "in the lake before the end of May, although the water is still too cold.",
    "He opened the letter slowly, read the first two lines, put it back on the table without a "
    "word, and walked out into the garden, where the rain had just begun to fall.",
    "Our train was late, the restaurant was closed for the whole week, and the hotel had given "
    "our room to somebody else, but in the end it turned out to be a wonderful trip.",
    "The doctor told him to drink less coffee, to go to bed before midnight, and to walk for half "
    "an hour every day, which he found reasonable, and which he never did.",
    "Some people collect stamps, others collect coins or paintings, and my uncle, who has never "
    "been quite like other people, collects the keys of houses that were torn down.",
    "Before the engineers could repair the bridge, they had to stop all of the traffic, build a "
    "temporary road through the fields, and wait until the river had gone down again.",
    "The film was much longer than the book, the actors seemed to be rather bored, and the music "
    "was far too loud, yet nearly everybody in the audience clapped at the end.",
    "There was no wind that morning, so the sailors rowed the heavy boat across the bay, past the "
    "rocks where the seals were sleeping, and landed on a beach of white sand.",
)
"""Sentences of more than 160 letters, which are spoken in two clauses."""
