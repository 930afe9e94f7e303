// The lifetime of the page.

/**
 * Returns a signal that is aborted when the user leaves the page. A page kept for the back button
 * would keep its connection, of which browsers allow six per server; it is reloaded instead.
 */
export function pageClosed() {
  const controller = new AbortController();
  addEventListener("pagehide", () => controller.abort());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  return controller.signal;
}
