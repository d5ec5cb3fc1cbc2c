// Draws the figures that dashboard/charts/figures.py describes, in the reader's theme. Strings such as "--series-1" in a figure are
// names of CSS variables. Nothing is sent anywhere: plotly's cloud is switched off.
"use strict";

(() => {
  const CONFIG = {
    displayModeBar: false, displaylogo: false, responsive: true, showSendToCloud: false, showLink: false, plotlyServerURL: "",
    scrollZoom: false, doubleClick: "reset", locale: "en",
  };
  const NARROW = window.matchMedia("(max-width: 44rem)");
  const drawn = new Set();

  function token(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function coloured(value) {
    if (typeof value === "string") return /^--[a-z0-9-]+$/.test(value) ? token(value) : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner)]));
    }
    return value;
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
      ...own, font, autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 48, r: 16, t: own.showlegend ? 34 : 14, b: 36 }, hovermode: own.hovermode || "x unified", dragmode: "zoom",
      hoverlabel: { bgcolor: token("--raised"), bordercolor: token("--rule-strong"), font: { ...font, color: token("--ink") } },
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", font, traceorder: "normal", itemwidth: 30 },
      xaxis: axis(own.xaxis, false), yaxis: axis(own.yaxis, true),
    };
  }

  async function draw(box) {
    const figure = coloured(JSON.parse(document.getElementById(box.dataset.plotly).textContent));
    await window.Plotly.react(box, figure.data, layout(figure.layout), CONFIG);
    drawn.add(box);
  }

  function drawAll(root) {
    for (const box of root.querySelectorAll("[data-plotly]")) draw(box);
  }

  function redraw() {
    for (const box of drawn) {
      if (box.isConnected) draw(box);
      else {
        window.Plotly.purge(box);
        drawn.delete(box);
      }
    }
  }

  document.addEventListener("htmx:load", (event) => {
    if (event.detail.elt !== document.body) drawAll(event.detail.elt);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  NARROW.addEventListener("change", redraw);
  drawAll(document);
})();
