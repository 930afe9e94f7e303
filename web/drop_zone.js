// An element that accepts files dragged onto it.

/** Calls `onFile(file)` when a file is dropped; the class `over` marks the element meanwhile. */
export function acceptDrops(element, onFile) {
  for (const name of ["dragenter", "dragover"]) {
    element.addEventListener(name, (event) => {
      event.preventDefault(); // without it the browser opens the file
      element.classList.add("over");
    });
  }
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) onFile(file);
  });
}
