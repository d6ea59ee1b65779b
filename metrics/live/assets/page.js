import { attribute, clock, list, make, rows, span, text, thousands } from "./dom.js";
import { Chart } from "./chart.js";

const $ = (id) => document.getElementById(id);
const perSecond = (v) => (v < 10 ? String(Math.round(v * 10) / 10) : thousands(v));

const charts = {
  stages: new Chart($("stages"), { title: "Devices by stage", stacked: true, value: thousands }),
  arrivals: new Chart($("arrivals"), { title: "Arrivals a second, due and started", value: perSecond }),
  assigned: new Chart($("assigned"), { title: "Time to assigned, from when a device was due", value: span }),
  ended: new Chart($("ended"), { title: "Boots ended a second, by outcome", stacked: true, value: perSecond }),
};

// coarser joins slots until each is a second or more, so that rates do not jitter.
function coarser(width, values, least) {
  const of = Math.max(1, Math.ceil(least / width));
  const out = [];
  for (let i = 0; i + of <= values.length; i += of) {
    out.push(values.slice(i, i + of).reduce((a, b) => a + b, 0) / (of * width));
  }
  return { width: of * width, values: out };
}

function rates(width, series) {
  const length = width * Math.max(0, ...series.map((s) => s.values.length));
  const least = Math.max(1, length / 100);
  const joined = series.map((s) => ({ ...s, ...coarser(width, s.values, least) }));
  return { width: joined[0]?.width ?? 1, series: joined };
}

function showCharts(s) {
  const { width, stages, due, started } = s.series;
  charts.stages.show({ width, series: stages.map((one) => ({ ...one, kind: `stage-${one.name}` })) });
  charts.arrivals.show(rates(width, [
    { name: "due", kind: "due", values: due },
    { name: "started", kind: "started", values: started },
  ]));
  const p = s.points;
  charts.assigned.show({ width: p.width || 1, series: [
    { name: "max", kind: "max", values: p.max ?? [] },
    { name: "p95", kind: "p95", values: p.p95 ?? [] },
    { name: "p50", kind: "p50", values: p.p50 ?? [] },
  ] });
  charts.ended.show(rates(p.width || 1, (p.outcomes ?? []).map((one) => ({ ...one, kind: `outcome-${one.name}` }))));
}

function figure() {
  const box = make("div");
  box.append(make("dt"), make("dd"));
  return box;
}

function fillFigure(box, { name, value, state }) {
  text(box.children[0], name);
  text(box.children[1], value);
  attribute(box.children[1], "class", state ?? "");
}

function showNow(s) {
  const share = s.planned ? s.ended / s.planned : 0;
  $("done").value = share;
  const figures = [
    { name: s.direct ? "Calls ended" : "Boots ended", value: s.planned ? `${thousands(s.ended)} of ${thousands(s.planned)}` : thousands(s.ended) },
    { name: "Unexpected", value: thousands(s.unexpected), state: s.unexpected ? "bad" : "" },
    { name: "Under way", value: thousands(Math.max(0, s.due - s.ended)) },
    { name: "Ended a second", value: perSecond(s.rate) },
    { name: "Elapsed", value: clock(s.elapsed) },
  ];
  if (!s.over) figures.push({ name: "Left", value: s.left ? `about ${clock(s.left)}` : "–" });
  list($("figures"), figures, figure, fillFigure);
  list($("generator"), s.generator, figure, fillFigure);
}

function showHead(s) {
  const verdict = $("verdict");
  text(verdict, s.verdict.text);
  attribute(verdict, "class", `badge ${s.verdict.state}`);
  text($("scenario"), s.scenario || "dpsfleet");
  text($("target"), `Against ${s.target}, seed ${s.seed}`);
  document.title = `${s.over ? s.verdict.text : `${thousands(s.ended)} ended`} · ${s.scenario || "dpsfleet"}`;
  $("reasons").hidden = !s.reasons.length;
  list($("reasons"), s.reasons, () => make("li"), text);
  text($("about"), `${["dpsfleet", s.version].filter(Boolean).join(" ")}. This page only reads.`);
}

function showFleets(s) {
  rows($("fleets").tBodies[0], s.fleets, (f) => [
    f.name,
    f.planned ? `${thousands(f.due)} of ${thousands(f.planned)}` : thousands(f.due),
    thousands(f.ended), thousands(f.assigned), thousands(f.unexpected),
  ]);
}

function showHubs(s) {
  const all = s.hubs.reduce((sum, hub) => sum + hub.count, 0);
  list($("hubs"), s.hubs, () => {
    const item = make("li");
    const line = make("div", "pair");
    line.append(make("span", "id"), make("b"));
    const meter = make("meter");
    meter.max = 1;
    item.append(line, meter);
    return item;
  }, (item, hub) => {
    const [name, count] = item.children[0].children;
    const share = all ? hub.count / all : 0;
    text(name, hub.declared ? hub.name : `${hub.name} (not declared)`);
    text(count, `${thousands(hub.count)}${all ? ` · ${(100 * share).toFixed(1)} %` : ""}`);
    item.children[1].value = share;
    attribute(item.children[1], "aria-label", `Share of ${hub.name}`);
  });
}

function showOutcomes(s) {
  list($("outcomes"), s.outcomes, () => {
    const box = make("article");
    const head = make("h3");
    head.append(make("span", "state"), make("span", "code"), make("b"));
    box.append(head, make("ul", "examples"));
    return box;
  }, (box, group) => {
    const [outcome, code, count] = box.children[0].children;
    text(outcome, group.outcome);
    attribute(outcome, "class", `state ${group.unexpected ? "bad" : "good"}`);
    text(code, group.code ?? "");
    text(count, `${thousands(group.count)}${group.unexpected ? `, ${thousands(group.unexpected)} unexpected` : ""}`);
    list(box.children[1], group.examples, () => {
      const item = make("li");
      item.append(make("span", "when"), make("span", "id"), make("span", "faint"), make("span", "sentence"));
      return item;
    }, (item, example) => {
      const [when, id, fleet, sentence] = item.children;
      text(when, clock(example.at));
      text(id, example.id);
      text(fleet, example.fleet);
      text(sentence, example.sentence);
      attribute(item, "class", example.met ? "" : "missed");
    });
  });
}

const names = { time_to_assigned: "time to assigned", time_to_online: "time to online", webhook: "webhook, a call", dial: "dialing", tls: "securing", register: "registering", join: "joining", twin: "twinning" };

function showTimes(s) {
  rows($("times").tBodies[0], s.times ?? [], (t) => [names[t.name] ?? t.name, thousands(t.count), ...t.cells]);
}

const words = { good: "met", bad: "missed", plain: "no data yet" };

function showThresholds(s) {
  const all = s.thresholds ?? [];
  list($("thresholds"), all, () => {
    const item = make("li");
    item.append(make("span", "state"), make("code"), make("span", "faint"));
    return item;
  }, (item, t) => {
    const [state, condition, observed] = item.children;
    text(state, words[t.state]);
    attribute(state, "class", `state ${t.state}`);
    text(condition, t.text);
    text(observed, t.state === "plain" ? "" : t.observed);
  });
  $("thresholds").closest("section").hidden = !all.length;
}

function show(s) {
  showHead(s);
  showNow(s);
  showCharts(s);
  showFleets(s);
  showHubs(s);
  showOutcomes(s);
  showTimes(s);
  showThresholds(s);
}

let over = false;
const source = new EventSource("events");
source.addEventListener("message", (event) => {
  const snapshot = JSON.parse(event.data);
  over = snapshot.over;
  text($("connection"), over ? "The run has ended." : "");
  show(snapshot);
});
source.addEventListener("over", () => source.close());
source.addEventListener("error", () => {
  text($("connection"), over ? "The run has ended, and the program with it." : "No answer from dpsfleet; trying again. What is here was last heard.");
});
