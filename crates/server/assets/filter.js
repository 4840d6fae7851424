// A search whose results come as one types. The form works the same without.

import { parse, replaceContent } from "./html.js";

const PAUSE = 250;
const COUNT_AFTER = 1000;

for (const form of document.querySelectorAll("form[data-filter]")) {
  const target = form.dataset.filter;
  const input = form.querySelector("input[type=search]");
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.id = `${target}-hint`;
  hint.textContent = "Results update as you type.";
  const polite = speaker("polite");
  const assertive = speaker("assertive");
  form.append(hint, polite, assertive);
  input.setAttribute("aria-describedby", hint.id);

  let pause;
  let saying;
  let running;

  async function search() {
    running?.abort();
    running = new AbortController();
    const address = new URL(form.action);
    address.search = new URLSearchParams(new FormData(form)).toString();
    let answer;
    try {
      answer = await fetch(address, { signal: running.signal });
    } catch {
      return;
    }
    // Signed out meanwhile, or no answer: the page itself says so.
    if (!answer.ok || answer.redirected) return window.location.assign(address);
    const found = parse(await answer.text()).getElementById(target);
    const here = document.getElementById(target);
    if (!found || !here) return;
    const count = Number(found.dataset.count);
    here.dataset.count = found.dataset.count;
    replaceContent(here, [...found.childNodes]);
    history.replaceState(null, "", address);
    clearTimeout(saying);
    assertive.textContent = count === 0 ? "No users match" : "";
    saying = setTimeout(() => {
      if (count > 0) polite.textContent = count === 1 ? "1 user" : `${count} users`;
    }, COUNT_AFTER);
  }

  input.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(search, PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(pause);
    search();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
  const input = document.querySelector("input[type=search]");
  if (!input) return;
  event.preventDefault();
  input.focus();
  input.select();
});

function speaker(manner) {
  const element = document.createElement("p");
  element.className = "visually-hidden";
  element.setAttribute("aria-live", manner);
  return element;
}
