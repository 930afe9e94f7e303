// The sound of the face on its way to the loudspeaker: of the film, or of the live stream.

let sound = null;

/**
 * Routes the sound through a graph of audio nodes, where it can be compared with the microphone:
 * that of the <video> of the film, and that of `live`, a LivePlayback. A browser allows the former once
 * for each video, so the graph stays. Call it from a user gesture: browsers start no sound otherwise.
 * Returns `{context, film, gain}`; all sound passes `film` first, and `gain` last.
 */
export async function filmSound({ video, live }) {
  if (sound === null) {
    const context = new AudioContext({ latencyHint: "interactive" });
    const [film, gain] = [context.createGain(), context.createGain()];
    context.createMediaElementSource(video).connect(film);
    live.routeTo(film);
    film.connect(gain).connect(context.destination);
    // A telephone call, for example, suspends it; the face would stay silent.
    context.addEventListener("statechange", () => context.state !== "running" && context.resume());
    await context.audioWorklet.addModule(new URL("capture_worklet.js", import.meta.url));
    sound = { context, film, gain };
  }
  await sound.context.resume();
  return sound;
}
