// A confirmation opens over the page it belongs to. Without this, or when anything goes wrong, the
// link is followed to the same confirmation as a page.

import { parse } from "./html.js";

function dialogFor(sheet, from) {
  const dialog = document.createElement("dialog");
  dialog.className = "sheet";
  const heading = sheet.querySelector("h1");
  heading.id = "sheet-heading";
  heading.tabIndex = -1;
  dialog.setAttribute("aria-labelledby", heading.id);
  const close = document.createElement("button");
  close.type = "button";
  close.className = "sheet-close";
  close.setAttribute("aria-label", "Close");
  close.textContent = "×";
  close.addEventListener("click", () => dialog.close());
  dialog.append(sheet, close);
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  dialog.addEventListener("submit", () => {
    for (const button of dialog.querySelectorAll("form button")) button.setAttribute("aria-busy", "true");
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    // It may have been drawn anew meanwhile.
    const there = from.isConnected ? from : document.querySelector(`a[href="${from.getAttribute("href")}"]`);
    there?.focus();
  });
  return { dialog, heading };
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  try {
    const answer = await fetch(link.href);
    const sheet = answer.ok && !answer.redirected && parse(await answer.text()).querySelector("[data-sheet]");
    if (!sheet) throw new Error("no sheet");
    const { dialog, heading } = dialogFor(document.adoptNode(sheet), link);
    document.body.append(dialog);
    dialog.showModal();
    // Not the button: neither Enter nor a double click confirms.
    heading.focus();
  } catch {
    window.location.assign(link.href);
  }
});
