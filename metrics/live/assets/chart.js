import { attribute, clock, draw, list, make, rows, text } from "./dom.js";

const left = 52, right = 8, top = 8, bottom = 22, height = 190;
const tableRows = 20;

// Chart is a picture of series over time, a legend that says their values now or
// under the pointer, and the same as a table.
export class Chart {
  constructor(figure, { title, stacked = false, value }) {
    this.figure = figure;
    this.title = title;
    this.stacked = stacked;
    this.value = value;
    this.data = { width: 1, series: [] };
    this.at = null;
    this.build();
  }

  build() {
    const caption = make("figcaption", "", this.title);
    this.svg = draw("svg", { role: "img", height });
    this.grid = draw("g", {});
    this.plot = draw("g", {});
    this.cursor = draw("line", { class: "cursor", y1: top, y2: height - bottom, visibility: "hidden" });
    this.svg.append(this.grid, this.plot, this.cursor);
    this.legend = make("ul", "legend");
    this.details = make("details");
    const wide = make("div", "wide");
    this.table = make("table");
    this.table.append(make("caption", "unseen", this.title), make("thead"), make("tbody"));
    this.table.tHead.append(make("tr"));
    wide.append(this.table);
    this.details.append(make("summary", "", "As a table"), wide);
    attribute(this.details.firstChild, "aria-label", `${this.title}, as a table`);
    this.figure.append(caption, this.svg, this.legend, this.details);
    this.details.addEventListener("toggle", () => this.fillTable());
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.render()).observe(this.figure);
  }

  // show takes {width: seconds of a slot, series: [{name, kind, values}]}; null is a
  // gap.
  show(data) {
    this.data = data;
    this.render();
    this.fillTable();
  }

  slots() {
    return Math.max(0, ...this.data.series.map((s) => s.values.length));
  }

  render() {
    const width = this.figure.clientWidth;
    if (!width) return;
    attribute(this.svg, "width", width);
    attribute(this.svg, "viewBox", `0 0 ${width} ${height}`);
    const n = this.slots();
    const tall = this.tops();
    const y = scale(Math.max(0, ...tall));
    this.x = (i) => left + (width - left - right) * (n > 1 ? i / (n - 1) : 1);
    this.y = (v) => height - bottom - (height - top - bottom) * (v / y.most);
    this.drawGrid(y, n, width);
    const base = new Array(n).fill(0);
    list(this.plot, this.data.series, () => draw("path", {}), (path, s) => {
      attribute(path, "class", `${this.stacked ? "area" : "line"} ${s.kind}`);
      attribute(path, "d", this.stacked ? this.area(s.values, base) : this.line(s.values));
    });
    this.fillLegend();
  }

  // tops are the highest value of each slot.
  tops() {
    const out = new Array(this.slots()).fill(0);
    for (const s of this.data.series) {
      s.values.forEach((v, i) => { out[i] = this.stacked ? out[i] + v : Math.max(out[i], v ?? 0); });
    }
    return out;
  }

  drawGrid(y, n, width) {
    const lines = [];
    for (const v of y.ticks) {
      lines.push({ name: "line", x1: left, x2: width - right, y1: this.y(v), y2: this.y(v) });
      lines.push({ name: "text", x: left - 6, y: this.y(v) + 4, class: "y", content: this.value(v) });
    }
    if (n > 1) {
      for (const t of timeTicks((n - 1) * this.data.width, width)) {
        const x = this.x(t / this.data.width);
        lines.push({ name: "text", x, y: height - 5, class: x > width - 24 ? "y" : "x", content: clock(t) });
      }
    }
    this.grid.replaceChildren(...lines.map(({ name, content, ...attributes }) => {
      const element = draw(name, attributes);
      if (content) element.textContent = content;
      return element;
    }));
  }

  // area adds values to base, and is what lies between.
  area(values, base) {
    const lower = base.map((v, i) => `${this.x(i).toFixed(1)},${this.y(v).toFixed(1)}`);
    values.forEach((v, i) => { base[i] += v; });
    const upper = base.map((v, i) => `${this.x(i).toFixed(1)},${this.y(v).toFixed(1)}`);
    if (!upper.length) return "";
    return `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
  }

  line(values) {
    let d = "", pen = "M";
    values.forEach((v, i) => {
      if (v === null) { pen = "M"; return; }
      const alone = pen === "M" && (values[i + 1] ?? null) === null;
      d += `${pen}${this.x(i).toFixed(1)},${this.y(v).toFixed(1)}${alone ? "h.01" : ""}`;
      pen = "L";
    });
    return d;
  }

  point(offset) {
    const n = this.slots();
    if (offset === null || n < 2) this.at = null;
    else this.at = Math.max(0, Math.min(n - 1, Math.round((offset - left) / (this.x(n - 1) - left) * (n - 1))));
    this.fillLegend();
  }

  fillLegend() {
    const n = this.slots();
    if (this.at !== null && this.at >= n) this.at = null;
    const at = this.at ?? n - 1;
    attribute(this.cursor, "visibility", this.at === null ? "hidden" : "visible");
    if (this.at !== null) { attribute(this.cursor, "x1", this.x(at)); attribute(this.cursor, "x2", this.x(at)); }
    const entries = this.data.series.map((s) => ({ kind: s.kind, name: s.name, value: at < 0 ? "" : this.cell(s.values[at]) }));
    if (this.at !== null) entries.push({ kind: "", name: `at ${clock(at * this.data.width)}`, value: "" });
    list(this.legend, entries, () => {
      const item = make("li");
      const dot = draw("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
      dot.append(draw("rect", { width: 10, height: 10, rx: 2 }));
      item.append(dot, make("span"), make("b"));
      return item;
    }, (item, { kind, name, value }) => {
      attribute(item.children[0], "class", kind ? `swatch ${kind}` : "unseen");
      text(item.children[1], name);
      text(item.children[2], value);
    });
    attribute(this.svg, "aria-label", `${this.title}. ${n < 1 ? "Nothing yet." : entries.map((e) => `${e.name} ${e.value}`).join(", ")}`);
  }

  cell(v) { return v === null || v === undefined ? "–" : this.value(v); }

  fillTable() {
    if (!this.details.open) return;
    const { series, width } = this.data;
    list(this.table.tHead.rows[0], ["Time", ...series.map((s) => s.name)], () => {
      const header = make("th", this.table.tHead.rows[0].children.length ? "number" : "");
      header.scope = "col";
      return header;
    }, (element, name) => text(element, name));
    const n = this.slots(), step = Math.max(1, Math.ceil(n / tableRows));
    const picked = [];
    for (let i = n - 1; i >= 0; i -= step) picked.push(i);
    rows(this.table.tBodies[0], picked, (i) => [clock(i * width), ...series.map((s) => this.cell(s.values[i]))]);
  }
}

// scale is a round number that all values are below, and the lines up to it.
function scale(highest) {
  if (highest <= 0) return { most: 1, ticks: [0] };
  const rough = highest / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough);
  const ticks = [];
  for (let i = 0; ; i++) {
    ticks.push(i * step);
    if (i * step >= highest) return { most: i * step, ticks };
  }
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

function timeTicks(length, width) {
  const most = Math.max(2, Math.floor(width / 80));
  const step = steps.find((s) => length / s <= most) ?? 86400 * Math.ceil(length / 86400 / most);
  const ticks = [];
  for (let t = 0; t <= length; t += step) ticks.push(t);
  return ticks;
}
