// "Explore" opens a chart's data in Plotly in its place: the library is loaded by the first click, the figure comes from this page's
// own address with ?explore=ID (dashboard/templatetags/charts.py). Strings such as "--series-1" in a figure are names of CSS variables.
// Nothing is sent anywhere: plotly's cloud is switched off.
"use strict";

(() => {
  const CONFIG = {
    displayModeBar: false, displaylogo: false, responsive: true, showSendToCloud: false, showLink: false, plotlyServerURL: "",
    scrollZoom: false, doubleClick: "reset", showTips: false, locale: "en",
  };
  // plotly.js would add MapLibre's styles unless this id is taken; the policy forbids that, and no chart here is a map.
  const NO_MAP = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";
  const NARROW = window.matchMedia("(max-width: 46rem)");
  const HOUR_MS = 3_600_000;
  const DAY_MS = 24 * HOUR_MS;
  const CHART = "svg.chart[tabindex]";
  let library, span;

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function coloured(value) {
    if (typeof value === "string") return /^--[a-z0-9-]+$/.test(value) ? token(value) : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (!value || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner)]));
  }

  function axis(own, vertical) {
    const font = { size: 12, color: token("--ink-3") };
    return {
      automargin: true, fixedrange: vertical, gridcolor: token("--grid"), griddash: "solid", showgrid: vertical, zeroline: vertical,
      zerolinecolor: token("--axis"), linecolor: token("--axis"), showline: !vertical, ticks: vertical ? "" : "outside", ticklen: 4,
      tickcolor: token("--axis"), tickfont: font, nticks: NARROW.matches ? 5 : vertical ? 6 : 9, hoverformat: vertical ? undefined : "",
      ...own, title: { ...own.title, font, standoff: 8 },
    };
  }

  function layout(own) {
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: token("--ink-2") };
    return {
      ...own, font, autosize: true, paper_bgcolor: token("--paper"), plot_bgcolor: token("--paper"), showlegend: false,
      margin: { l: 48, r: 16, t: 22, b: 36 }, hovermode: own.hovermode || "x unified", dragmode: "zoom",
      hoverlabel: { bgcolor: token("--raised"), bordercolor: token("--rule-strong"), font: { ...font, color: token("--ink") } },
      activeshape: { fillcolor: token("--accent"), opacity: 0.2 }, xaxis: axis(own.xaxis, false), yaxis: axis(own.yaxis, true),
    };
  }

  function load(address) {
    library ||= new Promise((done, failed) => {
      document.head.append(Object.assign(document.createElement("meta"), { id: NO_MAP, name: "maplibre-styles", content: "none" }));
      document.head.append(Object.assign(document.createElement("script"), { src: address, onload: done, onerror: failed }));
    });
    return library;
  }

  const day = (value) => new Date(typeof value === "number" ? value : `${String(value).replace(" ", "T").slice(0, 19).replace(/^(.{10})$/, "$1T00:00")}Z`);
  const written = (date) => date.toISOString().slice(0, 10);

  // From the first day that is touched to the day after the last one: days of an address are whole.
  function days(from, to) {
    const first = new Date(Math.floor(day(from) / DAY_MS) * DAY_MS);
    return [written(first), written(new Date(Math.max(Math.ceil(day(to) / DAY_MS) * DAY_MS, first.valueOf() + DAY_MS)))];
  }

  async function panelOf(button) {
    const address = new URL(location.href);
    address.hash = "";
    address.searchParams.set("explore", button.dataset.explore);
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.status);
    return answer.text();
  }

  const openerOf = (svg) => svg.closest("figure")?.querySelector("[data-explore]");

  // Enter on a point of the crosshair opens what a click on it opens once the chart is explored, and the end of a span what a brush
  // opens. Bands have no points of their own.
  async function enter(svg) {
    if (svg.dataset.to) return lead(svg);
    if (!openerOf(svg) || !svg.read?.stops[svg.read.index]) return;
    const ends = span?.svg === svg && endsOf(span);
    const panel = document.createElement("template");
    panel.innerHTML = await panelOf(openerOf(svg));
    const { data } = JSON.parse(panel.content.querySelector("script").textContent);
    const places = [...new Set(data.filter((trace) => !trace.legendgroup).flatMap((trace) => trace.x))];
    places.sort((one, other) => day(one) - day(other));
    if (places.length !== svg.read.stops.length) return;
    if (!ends) follow(panel.content.querySelector(".plotly"), { x: places[svg.read.index], data: {} });
    else leave(panel.content.querySelector("form"), ...ends.map((n) => days(places[n], places[n])));
  }

  // A chart without "Explore" holds the address behind its points, where it leads to days with the first one of them. A mark of a strip
  // may cover several cells.
  function lead(svg) {
    const { to, first, hours, cells } = svg.dataset;
    const stop = svg.read?.stops[svg.read.index];
    if (!stop) return;
    const address = new URL(to, location.href);
    if (first) {
      const left = cells && parseFloat(stop.mark.querySelector("[x]").getAttribute("x")) / 100;
      const at = day(first).valueOf() + (cells ? Math.round(left * cells) : svg.read.index) * hours * HOUR_MS;
      const [from, until] = days(at, at);
      address.searchParams.set("from", from);
      address.searchParams.set("to", until);
    }
    location.assign(address);
  }

  function leave(form, [from], [, to]) {
    const address = new URL(form.getAttribute("action"), location.href);
    address.hash = "";
    for (const [name, value] of Object.entries({ ...Object.fromEntries(new FormData(form)), from, to })) address.searchParams.set(name, value);
    location.assign(address);
  }

  // A span of a chart as it is drawn, from the point where the mouse went down, or Shift with an arrow key began, to the present one.
  function begin(svg) {
    if (span?.svg === svg || !svg.read || !openerOf(svg)?.dataset.brush) return;
    clear();
    svg.insertAdjacentHTML("beforeend", '<rect class="span" height="100%"/>');
    span = { svg, from: Math.min(svg.read.index, svg.read.stops.length - 1), mark: svg.lastChild };
  }

  const endsOf = ({ svg, from }) => [from, svg.read.index].sort((one, other) => one - other);

  function drawSpan() {
    const { svg, mark } = span;
    const [low, high] = endsOf(span).map((n) => svg.read.stops[n]);
    mark.setAttribute("x", `${low.at}%`);
    mark.setAttribute("width", `${high.at - low.at}%`);
    const ends = [low, high].map(({ words }) => words.split(": ")[0]);
    svg.closest("figure").querySelector(".readout").textContent = `${ends.join(" – ")} · ${openerOf(svg).dataset.brush}`;
  }

  function clear() {
    span?.mark.remove();
    span = undefined;
  }

  async function open(button) {
    const figure = button.closest("figure");
    if (figure.querySelector(".explorer")) return;
    button.setAttribute("aria-busy", "true");
    try {
      const [panel] = await Promise.all([panelOf(button), load(button.dataset.library)]);
      figure.insertAdjacentHTML("beforeend", panel);
    } catch {
      library = undefined;
      figure.querySelector(".readout").textContent = button.dataset.failed;
      return;
    } finally {
      button.removeAttribute("aria-busy");
    }
    figure.classList.add("exploring");
    await draw(figure.querySelector(".explorer"));
    figure.querySelector("[data-do=close]").focus();
  }

  // The chart and the span shown of it are in the address, so that a copied link opens the same.
  const brief = (end) => typeof end === "number" ? Math.round(end) : end.slice(0, 16).replace(" ", "T");
  function note(figure, ends) {
    const name = figure ? `#explore-${figure.querySelector("[data-explore]").dataset.explore}` : location.pathname + location.search;
    history.replaceState(history.state, "", name + (ends ? `=${ends.map(brief).join("~")}` : ""));
  }

  function close(panel) {
    const figure = panel.closest("figure");
    window.Plotly.purge(panel.querySelector(".plotly"));
    panel.remove();
    figure.classList.remove("exploring");
    note();
    figure.querySelector("[data-explore]").focus();
  }

  async function draw(panel) {
    const box = panel.querySelector(".plotly");
    const figure = JSON.parse(panel.querySelector("script").textContent);
    const shown = [...panel.querySelectorAll("[data-trace]")].map((toggle) => toggle.getAttribute("aria-pressed") === "true");
    figure.data.forEach((trace, n) => { if (shown.length) trace.visible = shown[trace.legendgroup ?? n]; });
    const log = panel.querySelector("[data-do=log]")?.getAttribute("aria-pressed") === "true";
    if (log) {
      Object.assign(figure.layout.yaxis, { type: "log", rangemode: "normal" });
      for (const note of figure.layout.annotations) if (!note.yref) note.y = Math.log10(note.y);
    }
    const made = coloured(figure);
    await window.Plotly.react(box, made.data, layout(made.layout), CONFIG);
    if (box.dataset.ready) return;
    box.dataset.ready = "yes";
    // A click leads away only if no second one follows, which resets the axis.
    let led, clicked = 0;
    box.on("plotly_click", ({ points }) => {
      const second = Date.now() - clicked < 350;
      clicked = Date.now();
      clearTimeout(led);
      if (!second) led = setTimeout(() => follow(box, points[0]), 350);
    });
    box.on("plotly_doubleclick", () => clearTimeout(led));
    box.on("plotly_relayout", (change) => brush(panel, change));
  }

  function follow(box, { x, data }) {
    if (!box.dataset.rows) return;
    const address = new URL(box.dataset.rows, location.href);
    if (box.dataset.at) {
      if (box.dataset.at !== "none") address.searchParams.set(box.dataset.at, Math.round(x));
    } else {
      const [from, to] = days(x, x);
      address.searchParams.set("from", from);
      address.searchParams.set("to", to);
    }
    for (const [name, value] of Object.entries(data.meta || {})) address.searchParams.set(name, value);
    location.assign(address);
  }

  function brush(panel, change) {
    const form = panel.querySelector("form");
    const range = change["xaxis.range"] || [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    const reset = range[0] === undefined;
    if (reset && !change["xaxis.autorange"]) return;
    const ends = reset ? undefined : form ? days(...range) : range;
    if (form) [form.elements.from.value, form.elements.to.value] = ends || ["", ""];
    if (!form || form.dataset.leaves) note(panel.closest("figure"), ends);
    else if (ends) form.requestSubmit();
  }

  function save(panel, name, kind) {
    const box = panel.querySelector(".plotly");
    if (kind === "png") {
      window.Plotly.downloadImage(box, { format: "png", filename: name, width: box.offsetWidth, height: box.offsetHeight, scale: 2 });
      return;
    }
    const traces = box.data.filter((trace) => trace.y);
    const quoted = (cell) => `"${String(cell ?? "").replaceAll('"', '""').replace(/^[=+@\t\r]/, "'$&")}"`;
    const lines = box.data[0].z
      ? [["", ...box.data[0].y], ...box.data[0].x.map((x, n) => [x, ...box.data[0].z.map((row) => row[n])])]
      : [["", ...traces.map((trace) => trace.name)], ...[...new Set(traces.flatMap((trace) => trace.x))]
        .map((x) => [x, ...traces.map((trace) => trace.y[trace.x.indexOf(x)])])];
    const text = lines.map((cells) => cells.map(quoted).join(",")).join("\r\n");
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: `${name}.csv` });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  document.addEventListener("click", ({ pointerType, target }) => {
    const chart = pointerType === "mouse" && !span && target.closest(CHART);
    if (chart && (chart.dataset.to || "leads" in (openerOf(chart)?.dataset || {}))) enter(chart);
    const opener = target.closest("[data-explore]");
    if (opener) open(opener);
    const control = target.closest(".explorer [data-do], .explorer [data-trace]");
    if (!control) return;
    const panel = control.closest(".explorer");
    const what = control.dataset.do;
    if (what === "close") close(panel);
    else if (what === "png" || what === "csv") save(panel, panel.dataset.name, what);
    else {
      control.setAttribute("aria-pressed", String(control.getAttribute("aria-pressed") !== "true"));
      draw(panel);
    }
  });
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const panel = key === "Escape" && target.closest?.(".explorer");
    if (panel) close(panel);
    if (span?.svg === target && event.shiftKey && key !== "Shift") drawSpan();
    if (key === "Enter" && target.matches?.(CHART)) enter(target);
  });
  // Before the crosshair moves: where a span begins.
  document.addEventListener("keydown", ({ key, shiftKey, target }) => {
    if (key !== "Escape" && !/^(Arrow(Left|Right)|Home|End)$/.test(key)) return;
    if (!shiftKey) clear();
    else if (target.matches?.(CHART)) begin(target);
  }, true);
  document.addEventListener("focusout", ({ target }) => target === span?.svg && clear());
  document.addEventListener("pointerdown", ({ button, pointerType, target }) => {
    clear();
    if (button === 0 && pointerType === "mouse" && target.closest(CHART)) begin(target.closest(CHART));
  });
  document.addEventListener("pointermove", ({ buttons }) => span && buttons && drawSpan());
  document.addEventListener("pointerup", () => {
    if (span && span.from !== span.svg.read.index) enter(span.svg);
    else clear();
  });
  const again = () => document.querySelectorAll(".explorer").forEach(draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  NARROW.addEventListener("change", again);

  // After a brush the page has another period, or its address a span: its chart is explored again.
  async function reopen([, name, from, to]) {
    const button = document.querySelector(`[data-explore="${CSS.escape(name)}"]`);
    if (!button) return;
    await open(button);
    const box = button.closest("figure").querySelector(".plotly");
    if (box && from) window.Plotly.relayout(box, { "xaxis.range": [from, to] });
  }
  const asked = decodeURIComponent(location.hash).match(/^#explore-([^=]+)(?:=([^~]+)~(.+))?$/);
  if (asked) reopen(asked);
})();
