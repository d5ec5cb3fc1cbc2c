// See docs/reference/design.md
"use strict";

(() => {
  const CHART = "svg.chart[tabindex]";
  const loose = document.createElement("p");
  const all = (root, css) => [...root.querySelectorAll(css)];
  const on = (name, act) => document.addEventListener(name, act);
  const END = 1e6;
  let now, text;
  loose.className = "readout loose";

  function stopsOf(svg) {
    const { x, unit, rows } = svg.dataset;
    if (!x) return all(svg, "g > title").map((title) => {
      const mark = title.parentNode;
      title.remove();
      return { mark, at: 0, words: title.textContent };
    });
    const figure = svg.closest("figure");
    const data = rows || figure.dataset.rows;
    const cells = (row) => [...row.cells].map((cell) => cell.textContent.trim());
    const [names, ...lines] = data ? JSON.parse(data) : all(figure, ".data tr").map(cells);
    const word = (cell, n) => cell && `${names[n + 1]} ${unit ? cell.replace(/\d/, "$$$&") : cell}`;
    const at = x.split(" ");
    return lines.map(([place, ...row], n) => ({ at: at[n], words: `${place}: ${row.map(word).filter(String).join(" · ")}` }));
  }

  function begin(svg) {
    const stops = stopsOf(svg);
    svg.insertAdjacentHTML("beforeend", '<rect class="plot-box" width="100%" height="100%"/><rect class="cross" width="1" height="100%"/>');
    return { stops, index: END, cross: svg.lastChild, box: svg.querySelector(".plot-box") };
  }
  const read = (svg) => svg.read ||= begin(svg);

  function hide() {
    if (!now) return;
    now.querySelector(".at").classList.remove("at");
    text.textContent = now = "";
    loose.remove();
  }

  function show(svg, index, keys) {
    hide();
    const chart = read(svg);
    const stop = chart.stops[chart.index = Math.max(0, Math.min(chart.stops.length - 1, index))];
    if (!stop) return;
    now = svg;
    text = svg.closest("figure")?.querySelector(".readout") || loose;
    if (text === loose) {
      const { x, y } = svg.getBoundingClientRect();
      loose.style.cssText = `left:${Math.min(x, innerWidth - 260)}px;top:${y + scrollY}px`;
      document.body.append(loose);
    }
    text.ariaLive = keys ? "polite" : "off";
    text.textContent = stop.words;
    chart.cross.setAttribute("x", `${stop.at}%`);
    (stop.mark || chart.cross).classList.add("at");
  }

  const far = (low, at, high) => Math.max(low - at, at - high, 0);
  function point({ target, clientX, clientY }) {
    const svg = target.closest?.(CHART);
    if (!svg) return now != document.activeElement && hide();
    const { stops, box } = read(svg);
    const { x, width } = box.getBoundingClientRect();
    const away = stops.map(({ at, mark }) => {
      if (!mark) return Math.abs(x + at * width / 100 - clientX);
      const own = mark.getBoundingClientRect();
      return far(own.left, clientX, own.right) + END * far(own.top, clientY, own.bottom);
    });
    show(svg, away.indexOf(Math.min(...away)));
  }

  // One stop of Tab, then up and down.
  const group = (svg) => svg.closest("table, .strips, .small-multiples") || svg.parentNode;
  function prepare() {
    hide();
    for (const svg of all(document, "svg.chart[role=img]:is([data-x], :has(title))")) {
      svg.role = "application";
      svg.setAttribute("tabindex", -!!group(svg).querySelector(CHART));
    }
  }

  on("keydown", (event) => {
    const { target, key } = event;
    if (!target.matches(CHART) || event.metaKey || event.altKey) return;
    const at = read(target).index;
    const near = all(group(target), CHART);
    const down = { ArrowUp: -1, ArrowDown: 1 }[key];
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: END }[key];
    if (next === undefined && !down) return;
    if (down && near[1]) near[near.indexOf(target) + down]?.focus();
    else show(target, next ?? at + down, true);
    event.preventDefault();
  });
  on("pointermove", point);
  on("pointerdown", point);
  on("focusout", (e) => e.target === now && hide());
  on("focusin", ({ target }) => target.matches(CHART + ":focus-visible") && show(target, END, true));
  on("htmx:load", prepare);
  prepare();
})();
