// The only place where markup enters the document. It comes from this server's own templates,
// which escape everything anybody typed; a browser with Trusted Types takes it from here alone.

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("offgate", { createHTML: (text) => text })
  : { createHTML: (text) => text };

// A document of its own for a whole page, in which nothing runs.
export function parse(text) {
  return new DOMParser().parseFromString(policy.createHTML(text), "text/html");
}

// Puts new content into an element, and leaves focus and what was unfolded as they were.
export function replaceContent(element, nodes) {
  const unfolded = [...element.querySelectorAll("details")].map((it) => it.open);
  const path = pathTo(element, document.activeElement);
  element.replaceChildren(...nodes);
  element.querySelectorAll("details").forEach((it, position) => {
    if (unfolded[position]) it.open = true;
  });
  if (path) follow(element, path)?.focus({ preventScroll: true });
}

function pathTo(root, element) {
  if (!element || element === root || !root.contains(element)) return null;
  const path = [];
  for (let at = element; at !== root; at = at.parentElement) {
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return path;
}

function follow(root, path) {
  return path.reduce((at, position) => at?.children[position], root);
}
