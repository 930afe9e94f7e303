// Positions in texts: the server counts characters, JavaScript counts units of UTF-16.

const PAIR = /[\ud800-\udbff]/;

/** The position in `text` after a number of characters. */
export function positionAfter(text, characters) {
  if (!PAIR.test(text)) return characters;
  let at = 0;
  for (let left = characters; left > 0 && at < text.length; left -= 1) {
    at += text.codePointAt(at) > 0xffff ? 2 : 1;
  }
  return at;
}
