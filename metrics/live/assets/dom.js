// Whatever comes from the run is put in place as text, and only where it changed, so
// that a selection stays and a screen reader is not told the same again.

export const svgNS = "http://www.w3.org/2000/svg";

export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

export function attribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export function make(name, className, content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (content !== undefined) element.textContent = content;
  return element;
}

export function draw(name, attributes) {
  const element = document.createElementNS(svgNS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// list keeps one child of parent for each item: made anew where there is none, filled
// with what the item says.
export function list(parent, items, create, fill) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, i) => {
    if (i === parent.children.length) parent.append(create(item));
    fill(parent.children[i], item, i);
  });
}

// rows keeps a table's body: the first cell of a row is its header, the others are
// numbers.
export function rows(body, items, cells) {
  list(body, items, () => make("tr"), (row, item) => {
    list(row, cells(item), (cell) => {
      if (row.children.length) return make("td", "number");
      const header = make("th");
      header.scope = "row";
      return header;
    }, (element, cell) => text(element, cell));
  });
}

export function thousands(n) {
  return Math.round(n).toLocaleString("en-US");
}

// clock is seconds as 1:05, or 1:02:05.
export function clock(seconds) {
  const s = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

// span is seconds as a person says them.
export function span(seconds) {
  if (seconds === 0) return "0";
  if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return clock(seconds);
}
