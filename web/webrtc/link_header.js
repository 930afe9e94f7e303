// The ICE servers in the Link headers of a WHEP answer (RFC 9725, section 4.5).

const LINK = /<([^>]*)>((?:\s*;\s*[\w-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^",;\s]*))?)*)/g;
const PARAMETER = /;\s*([\w-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^",;\s]*)))?/g;
const ICE_SCHEME = /^(stun|stuns|turn|turns):/;

/** Returns the `RTCIceServer`s of a header; null is no header. */
export function iceServers(header) {
  return [...(header ?? "").matchAll(LINK)].flatMap(([, urls, parameters]) => {
    const { rel, username, credential } = parse(parameters);
    if (rel !== "ice-server" || !ICE_SCHEME.test(urls)) return [];
    return username === undefined ? [{ urls }] : [{ urls, username, credential }];
  });
}

function parse(parameters) {
  const pairs = [...parameters.matchAll(PARAMETER)];
  return Object.fromEntries(
    pairs.map(([, name, quoted, plain]) => [name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain]),
  );
}
