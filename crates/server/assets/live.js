// Parts of a page that stay true while it is open. Each event is a whole part; on a gap the next
// one repairs it. Closed while nobody looks.

import { parse, replaceContent } from "./html.js";

const streams = new Map();

// The one sentence of a part that is read out when it changes, at most every two seconds.
const speaker = document.createElement("p");
speaker.className = "visually-hidden";
speaker.setAttribute("aria-live", "polite");
document.body.append(speaker);
let speaking;

// What says that the page is not kept up to date any more.
const notice = document.getElementById("not-live");
const SILENT_FOR = 5000;
let silent;

function unheard() {
  silent ??= setTimeout(() => notice?.removeAttribute("hidden"), SILENT_FOR);
}

function heard() {
  clearTimeout(silent);
  silent = undefined;
  notice?.setAttribute("hidden", "");
}

function announce(element) {
  const sentence = element.querySelector("[data-announce]")?.textContent;
  clearTimeout(speaking);
  if (sentence && sentence !== speaker.textContent) {
    speaking = setTimeout(() => (speaker.textContent = sentence), 2000);
  }
}

function show(event) {
  const { id, html } = JSON.parse(event.data);
  const element = document.getElementById(id);
  if (!element) return;
  const nodes = [...parse(html).body.childNodes];
  const fresh = document.createElement("div");
  fresh.append(...nodes.map((node) => node.cloneNode(true)));
  if (fresh.innerHTML.trim() === element.innerHTML.trim()) return;
  replaceContent(element, nodes);
  announce(element);
}

function open() {
  for (const element of document.querySelectorAll("[data-live]")) {
    const address = element.dataset.live;
    if (streams.has(address)) continue;
    const stream = new EventSource(address);
    stream.addEventListener("part", show);
    stream.addEventListener("open", heard);
    stream.addEventListener("error", unheard);
    streams.set(address, stream);
  }
}

function close() {
  for (const stream of streams.values()) stream.close();
  streams.clear();
  clearTimeout(silent);
  silent = undefined;
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", open);
if (!document.hidden) open();
