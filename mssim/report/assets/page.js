"use strict";
// The script of a report. Names and texts of the pool are written with textContent only, never as HTML.
(() => {
  const byId = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(byId(id).textContent);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Charts -----------------------------------------------------------------------------------------------------------

  const views = new Map();

  async function draw(element) {
    if (views.has(element)) return;
    views.set(element, null); // being drawn
    const options = {
      mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false,
      tooltip: { disableDefaultStyle: true }, logLevel: 1,
    };
    const spec = { ...read(element.dataset.chart), description: element.ariaLabel }; // else Vega replaces the label
    const { view } = await vegaEmbed(element, spec, options);
    views.set(element, view);
    select(element);
    element.dataset.drawn = "";
    if (element.dataset.chart === "chart-differences") {
      view.addEventListener("click", (_, item) => item?.datum?.position !== undefined && open(item.datum.position));
    }
  }

  function drawVisible() {
    return Promise.all([...document.querySelectorAll(".chart")].filter((one) => one.offsetParent).map(draw));
  }

  // Show the series whose buttons are pressed; a button may be pressed before its chart is drawn.
  function select(chart) {
    const buttons = [...chart.parentElement.querySelectorAll(".legend button")];
    const selected = buttons.filter((one) => one.getAttribute("aria-pressed") === "true");
    if (buttons.length) views.get(chart)?.signal("selected", selected.map((one) => one.dataset.series)).runAsync();
  }

  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      select(button.closest("figure").querySelector(".chart"));
    });
  }

  // The quantity in which budgets are given, and the limit of the answer -------------------------------------------------

  const limit = byId("limit");

  function showUnit(unit) {
    for (const element of document.querySelectorAll("[data-unit]:not(.choice)")) {
      element.hidden = element.dataset.unit !== unit;
    }
    const choices = [...document.querySelectorAll(".choice")].filter((one) => one.dataset.unit === unit);
    limit.replaceChildren(...choices.map((one) => make("option", { textContent: one.dataset.limit })));
    limit.selectedIndex = Math.max(0, choices.findIndex((one) => "first" in one.dataset));
    showLimit(unit);
    drawVisible();
  }

  function showLimit(unit) {
    let i = 0; // limits that are equal as written are different options
    for (const one of document.querySelectorAll(".choice")) {
      one.hidden = one.dataset.unit !== unit || i++ !== limit.selectedIndex;
    }
  }

  const unit = () => document.querySelector("input[name=unit]:checked")?.value ?? "samples_used";
  limit.closest(".limits").hidden = false;
  limit.addEventListener("change", () => showLimit(unit()));
  const units = byId("units");
  if (units) {
    units.hidden = false;
    units.addEventListener("change", () => showUnit(unit()));
  }

  // Questions ------------------------------------------------------------------------------------------------------------

  const PAGE = 25;
  const index = read("explorer-index");
  const chunks = new Map();
  const haystack = index.ids.map((id, q) => `${id}\n${index.questions[q]}\n${index.truths[q]}`.toLowerCase());
  const list = byId("list"), more = byId("more"), search = byId("search"), sort = byId("sort");
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  const points = (value) => `${value > 0.0005 ? "+" : value < -0.0005 ? "\u2212" : ""}${Math.abs(100 * value).toFixed(1)}`;
  const accuracy = index.strategies[0].accuracy;
  const orders = {
    "largest gain first": (a, b) => index.difference[b] - index.difference[a],
    "largest loss first": (a, b) => index.difference[a] - index.difference[b],
    "hardest first": (a, b) => accuracy[a] - accuracy[b],
    "order of the pool": (a, b) => a - b,
  };
  if (index.strategies.length < 2) ["largest gain first", "largest loss first"].forEach((name) => delete orders[name]);
  let matching = [], shown = 0;

  function detail(q) {
    const number = Math.floor(q / index.chunk);
    if (!chunks.has(number)) chunks.set(number, read(`explorer-${number}`));
    return chunks.get(number)[q % index.chunk];
  }

  function bar(label, count, total, right) {
    const fill = make("span", { className: "fill" });
    fill.style.width = `${(100 * count) / Math.max(total, 1)}%`;
    const text = right ? `\u2713 ${label}` : label;
    return make("li", { className: right ? "right" : "" },
      make("span", { className: "label", textContent: text, title: right ? `${label} (right)` : label }),
      make("span", { className: "track" }, fill),
      make("span", { className: "value", textContent: `${((100 * count) / Math.max(total, 1)).toFixed(0)}% (${count})` }));
  }

  function bars(name, m, found) {
    const counts = found.counts[m];
    const total = counts.reduce((a, b) => a + b, 0) + found.others[m] + found.none[m];
    const items = found.answers.map((label, i) => [label, counts[i], found.right[i]]).filter((one) => one[1] || one[2]);
    items.sort((a, b) => b[1] - a[1]);
    const rows = items.map(([label, count, right]) => bar(label, count, total, right));
    if (found.others[m]) rows.push(bar("other answers", found.others[m], total, false));
    if (found.none[m]) rows.push(bar("no answer", found.none[m], total, false));
    return make("div", {}, make("h4", { textContent: `${name}, ${total} samples` }), make("ul", { className: "bars" }, ...rows));
  }

  function body(q) {
    const found = detail(q);
    const parts = [];
    if (index.questions[q]) parts.push(make("div", { className: "full", textContent: index.questions[q] }));
    const facts = index.strategies.map((one) => `${one.name}: ${percent(one.accuracy[q])}`);
    if (index.truths[q]) facts.unshift(`right answer: ${index.truths[q]}`);
    for (const group of index.groups) facts.push(`${group.name}: ${group.labels[group.of[q]]}`);
    parts.push(make("p", { textContent: facts.join(" \u00b7 ") }));
    if (!found.right.includes(true)) parts.push(make("p", { className: "note", textContent: "No recorded answer is right." }));
    parts.push(make("div", { className: "models" }, ...index.models.map((name, m) => bars(name, m, found))));
    for (const example of found.examples) {
      const kind = example.right === null ? "without an answer" : example.right ? "right" : "wrong";
      const cut = example.more ? `\n\u2026 ${example.more} more characters` : "";
      parts.push(make("details", {},
        make("summary", { textContent: `Text of ${index.models[example.model]}, ${kind}` }),
        make("pre", { textContent: example.text === "" ? "(empty)" : example.text + cut, tabIndex: 0 })));
    }
    return make("div", { className: "body" }, ...parts);
  }

  function entry(q) {
    const difference = index.difference[q];
    const direction = index.equal[q] ? "" : difference > 0 ? "up" : "down";
    const what = make("span", { className: "what" }, make("span", { className: "id", textContent: index.ids[q] }), ` ${index.questions[q]}`);
    const value = index.strategies.length > 1
      ? make("span", { className: `points ${direction}`, textContent: `${points(difference)} points` })
      : make("span", { className: "points", textContent: percent(accuracy[q]) });
    const details = make("details", {}, make("summary", {}, what, value));
    details.addEventListener("toggle", () => details.children.length < 2 && details.append(body(q)));
    return make("li", {}, details);
  }

  function showMore() {
    list.append(...matching.slice(shown, shown + PAGE).map(entry));
    shown = Math.min(shown + PAGE, matching.length);
    more.hidden = shown >= matching.length;
  }

  function refresh() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [...document.querySelectorAll("#groups select")].map((one) => Number(one.value));
    matching = index.ids.map((_, q) => q).filter((q) =>
      words.every((word) => haystack[q].includes(word)) &&
      wanted.every((value, g) => value < 0 || index.groups[g].of[q] === value));
    matching.sort(orders[sort.value]);
    byId("found").textContent = `${matching.length} of ${index.ids.length} questions`;
    list.replaceChildren();
    shown = 0;
    showMore();
  }

  function open(q) {
    search.value = index.ids[q].toLowerCase();
    for (const one of document.querySelectorAll("#groups select")) one.value = "-1";
    refresh();
    const at = matching.indexOf(q);
    while (shown <= at) showMore();
    const details = list.children[at].firstChild;
    details.open = true;
    details.firstChild.focus();
    details.scrollIntoView({ block: "center" });
  }

  sort.append(...Object.keys(orders).map((name) => make("option", { textContent: name })));
  for (const group of index.groups) {
    const all = make("option", { textContent: "all", value: "-1" });
    const select = make("select", {}, all, ...group.labels.map((label, i) => make("option", { textContent: label, value: String(i) })));
    select.addEventListener("change", refresh);
    byId("groups").append(make("label", { textContent: `${group.name} ` }, select));
  }
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 120);
  });
  sort.addEventListener("change", refresh);
  more.addEventListener("click", showMore);
  byId("explorer").hidden = false;
  refresh();
  showUnit(unit());
})();
