// The only place where markup enters the document. It comes from this server's own templates,
// which escape everything anybody typed; a browser with Trusted Types takes it from here alone.

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("offgate", { createHTML: (text) => text })
  : { createHTML: (text) => text };

// A document of its own for a whole page, in which nothing runs.
export function parse(text) {
  return new DOMParser().parseFromString(policy.createHTML(text), "text/html");
}

// Brings the content of an element up to date. What has not changed stays the element it was, with
// its focus, what is typed into it and the pointer that is pressed on it.
export function replaceContent(element, nodes) {
  const stale = [...element.childNodes];
  const fresh = [...nodes];
  const common = longestCommon(stale, fresh);
  let [at, from] = [0, 0];
  for (const [there, node] of [...common, [stale.length, fresh.length]]) {
    const old = stale.slice(at, there);
    for (const it of fresh.slice(from, node)) {
      const before = old.shift();
      if (!before) element.insertBefore(it, stale[there] ?? null);
      else if (canBecome(before, it)) become(before, it);
      else before.replaceWith(it);
    }
    for (const it of old) it.remove();
    [at, from] = [there + 1, node + 1];
  }
}

// The positions of the longest row of nodes that are the same in both.
function longestCommon(stale, fresh) {
  const same = (there, node) => stale[there].isEqualNode(fresh[node]);
  const length = stale.concat(null).map(() => new Uint16Array(fresh.length + 1));
  for (let there = stale.length - 1; there >= 0; there--) {
    for (let node = fresh.length - 1; node >= 0; node--) {
      length[there][node] = same(there, node)
        ? length[there + 1][node + 1] + 1
        : Math.max(length[there + 1][node], length[there][node + 1]);
    }
  }
  const common = [];
  let [there, node] = [0, 0];
  while (there < stale.length && node < fresh.length) {
    if (same(there, node)) common.push([there++, node++]);
    else if (length[there + 1][node] >= length[there][node + 1]) there++;
    else node++;
  }
  return common;
}

// What can be pressed never becomes something else under the pointer: a link leads where it led, and
// a form is the same as a whole or another one.
function canBecome(there, node) {
  if (there.nodeName !== node.nodeName) return false;
  if (there.nodeName === "A") return there.getAttribute("href") === node.getAttribute("href");
  return there.nodeName !== "FORM" && there.nodeName !== "BUTTON";
}

function become(there, node) {
  if (there.nodeType !== Node.ELEMENT_NODE) {
    there.nodeValue = node.nodeValue;
    return;
  }
  for (const { name } of [...there.attributes]) {
    // Whether it is unfolded is the reader's.
    if (!node.hasAttribute(name) && name !== "open") there.removeAttribute(name);
  }
  for (const { name, value } of node.attributes) {
    if (there.getAttribute(name) !== value) there.setAttribute(name, value);
  }
  replaceContent(there, node.childNodes);
}
