// The sound of the film on its way to the loudspeaker.

let sound = null;

/**
 * Routes the sound of a <video> through a graph of audio nodes, where it can be compared with the
 * microphone. A browser allows that once for each video, so the graph stays. Call it from a user
 * gesture: browsers start no sound otherwise. Returns `{context, film, gain}`; the node `gain` is the
 * last one.
 */
export async function filmSound(video) {
  if (sound === null) {
    const context = new AudioContext({ latencyHint: "interactive" });
    const film = context.createMediaElementSource(video);
    const gain = context.createGain();
    film.connect(gain).connect(context.destination);
    // A telephone call, for example, suspends it; the film would stay silent.
    context.addEventListener("statechange", () => context.state !== "running" && context.resume());
    await context.audioWorklet.addModule(new URL("capture_worklet.js", import.meta.url));
    sound = { context, film, gain };
  }
  await sound.context.resume();
  return sound;
}
