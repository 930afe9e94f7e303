// The part of an answer that was heard.

const SPOKEN = /[\p{L}\p{N}]/u;

/**
 * Length of the beginning of `reply`, with its markdown, that has the letters and digits of
 * `heard`, which is the plain text.
 */
export function heardLength(reply, heard) {
  if (reply.startsWith(heard)) return heard.length;
  const wanted = [...heard].filter((sign) => SPOKEN.test(sign));
  let [at, length, matched] = [0, 0, 0];
  for (const sign of reply) {
    at += sign.length;
    if (sign !== wanted[matched]) continue;
    matched += 1;
    length = at;
    if (matched === wanted.length) break;
  }
  return length;
}
