// The page that asks for a key. The server answers with a cookie that no script can read.

const form = document.getElementById("login");
const key = document.getElementById("key");
const problem = document.getElementById("problem");

async function logIn() {
  const response = await fetch("login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key: key.value.trim() }),
  });
  if (response.ok) {
    location.replace(`./${location.search}`); // the session that the page shows
    return;
  }
  const answer = await response.json().catch(() => ({}));
  problem.textContent = response.status === 401 ? "This key is not valid." : (answer.detail ?? "The server does not answer.");
  key.select();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  problem.textContent = "";
  logIn().catch(() => {
    problem.textContent = "The server cannot be reached.";
  });
});
