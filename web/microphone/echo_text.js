// Tells the face's own words from those of a person.

/** Share of the words of a person that the face has not just said. */
const MIN_FOREIGN = 0.5;
/** Words that begin with the same letters are taken for the same. */
const SAME_LETTERS = 3;

/** True if most words of what was recognised are among those that the face has just said. */
export function isEcho(recognised, said) {
  const own = wordsOf(said);
  const heard = wordsOf(recognised);
  if (heard.length === 0 || own.join("").includes(heard.join(""))) return true;
  const foreign = heard.filter((word) => !own.some((one) => isSame(word, one)));
  return foreign.length / heard.length <= MIN_FOREIGN;
}

/** Single letters are left-overs of contractions. */
function wordsOf(text) {
  return (text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).filter((word) => word.length > 1);
}

/** Recognisers hear "says" instead of "say", and "path" instead of "part". */
function isSame(word, other) {
  if (word === other) return true;
  if (Math.min(word.length, other.length) < SAME_LETTERS) return false;
  return word.slice(0, SAME_LETTERS) === other.slice(0, SAME_LETTERS) || (word.length > SAME_LETTERS && isOneLetterApart(word, other));
}

function isOneLetterApart(word, other) {
  return word.length === other.length && [...word].filter((letter, at) => letter !== other[at]).length <= 1;
}
