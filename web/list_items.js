// Parts of the lists in dialogs.

export function createItem(className, ...parts) {
  const item = document.createElement("li");
  item.className = className;
  item.append(...parts);
  return item;
}

/** A title, and notes below it. */
export function createText(title, notes) {
  const words = document.createElement("div");
  const strong = document.createElement("strong");
  strong.textContent = title;
  words.append(strong, ...notes.map(createNote));
  return words;
}

export function createButton(label, action = null) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  if (action) button.addEventListener("click", action);
  return button;
}

export function createLink(label, url) {
  const link = document.createElement("a");
  link.textContent = label;
  link.href = url;
  return link;
}

function createNote(text) {
  const note = document.createElement("small");
  note.textContent = text;
  return note;
}
