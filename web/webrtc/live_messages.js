// The messages that a viewer of a live stream receives over its data channel.
//
// The page opens the channel, `events`, in its offer. Each message is a JSON object with a `type`:
//
// - `position {frame, rtp}`: from the picture with the RTP timestamp `rtp` on, the live stream shows the
//   film from frame `frame` on, one after the other; `frame` is null while nobody speaks. It is sent
//   when the channel opens, whenever that relation changes, and at least once a second.
// - `caption {text, first_frame, frames}`: a sentence, and the frames of the film in which it is heard. It is
//   sent when it begins, and again if its end changes; a new viewer gets the current one.
// - `started`, `finished`, `interrupted`, `action`, `skipped`: events of the feed, with its data.
// - `end {reason}`: the server ends the stream.

/** Calls the handler in `handlers` that is named after the type of each message of a channel. */
export function receiveMessages(channel, handlers) {
  channel.addEventListener("message", ({ data }) => {
    const { type, ...fields } = JSON.parse(data);
    handlers[type]?.(fields);
  });
}
