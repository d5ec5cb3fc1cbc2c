// The keys. A control says its own key: data-key="a", or two strokes as data-key="g s"; pressing it is a click on the control, or
// the focus when it is a field. Rows marked data-row are walked with j and k, and a control inside the current row wins over one
// elsewhere. Nothing happens while a field has the focus, with a modifier held, or when the reader has switched the keys off.
"use strict";

(() => {
  const OFF = "breakeven-keys-off";
  const WAIT_MS = 1500;
  const ARROWS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" }; // as a control states them in data-key
  let first = "";
  let timer = 0;

  const off = () => { try { return localStorage.getItem(OFF) === "1"; } catch { return false; } };
  const remember = (on) => { try { if (on) localStorage.removeItem(OFF); else localStorage.setItem(OFF, "1"); } catch { /* private window */ } };
  const shown = (element) => element.checkVisibility ? element.checkVisibility() : element.offsetParent !== null;
  const typing = (element) => element.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
  const current = () => document.querySelector("[data-row].at");

  // Links that a phone folds away still lead somewhere: only controls that do something must be visible.
  function control(keys) {
    const wanted = `[data-key="${CSS.escape(keys)}"]`;
    const near = current()?.querySelector(wanted);
    const all = [...document.querySelectorAll(wanted)];
    return near || all.find(shown) || all.find((element) => element.matches("a[href]"));
  }

  function press(element) {
    if (element.matches("input:not([type=checkbox], [type=radio], [type=submit]), select, textarea")) {
      element.focus();
      element.select?.();
    } else if (!element.matches(":disabled, [aria-disabled=true]")) {
      element.click();
    }
  }

  function walk(step) {
    const rows = [...document.querySelectorAll("[data-row]")].filter(shown);
    if (!rows.length) return false;
    const at = rows.indexOf(current());
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))] || rows[0];
    current()?.classList.remove("at");
    next.classList.add("at");
    const target = next.querySelector("a[href], button") || next;
    if (target === next) next.tabIndex = -1;
    target.focus();
    next.scrollIntoView({ block: "nearest" });
    return true;
  }

  // Every key of the page, from its controls, so that the help cannot be wrong.
  function list() {
    const box = document.querySelector("[data-key-list]");
    const words = new Map();
    for (const element of document.querySelectorAll("[data-key]")) {
      const field = element.labels?.[0]?.textContent || element.getAttribute("aria-label");
      const said = element.dataset.keyLabel || field || element.querySelector("[data-word]")?.dataset.word || element.textContent;
      const text = said.replace(element.dataset.key === said.trim().slice(-1) ? /\s\S$/ : /^$/, "").replace(/\s+/g, " ").trim();
      if (!words.has(element.dataset.key) && text) words.set(element.dataset.key, text.replace(/^\? /, ""));
    }
    if (document.querySelector("[data-row]") && !words.has("j")) words.set("j k", box.dataset.rowsLabel);
    words.set("Esc", box.dataset.closeLabel);
    box.replaceChildren(...[...words].map(([keys, text]) => {
      const item = document.createElement("li");
      const label = document.createElement("span");
      const strokes = document.createElement("span");
      label.textContent = text;
      for (const stroke of keys.split(" ")) strokes.append(Object.assign(document.createElement("kbd"), { textContent: stroke }), " ");
      item.append(label, strokes);
      return item;
    }));
  }

  function reset() {
    first = "";
    clearTimeout(timer);
  }

  function escape() {
    reset();
    current()?.classList.remove("at");
    document.querySelector("#toasts .toast:last-of-type [data-dismiss]")?.click();
  }

  // Ctrl K opens the palette from anywhere, a field too, as in other programs; it stays when the single keys are off.
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    if (!document.querySelector("dialog[open]")) document.querySelector("[data-opens=palette]")?.click();
  });

  // Enter in its field opens the first result, as soon as the results are those of the whole text.
  let entered = false;
  document.addEventListener("keydown", ({ key, target }) => { entered = key === "Enter" && target.id === "palette-q" && target.value.trim() !== ""; });
  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (!entered || detail.requestConfig?.triggeringEvent?.type !== "submit") return;
    entered = false;
    document.querySelector("#palette-rows a")?.click();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "Escape") return escape();
    const stroke = ARROWS[event.key] || event.key;
    if (off() || document.querySelector("dialog[open]") || stroke.length !== 1) return;
    const keys = first ? `${first} ${stroke}` : stroke;
    const element = control(keys);
    reset();
    if (element) {
      event.preventDefault();
      press(element);
    } else if (keys === "j" || keys === "k") {
      if (walk(keys === "j" ? 1 : -1)) event.preventDefault();
    } else if (document.querySelector(`[data-key^="${CSS.escape(keys)} "]`)) {
      first = keys;
      timer = setTimeout(reset, WAIT_MS);
    }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("[data-row]");
    if (row && row !== current()) {
      current()?.classList.remove("at");
      row.classList.add("at");
    }
  });

  const dialog = document.getElementById("keys");
  dialog?.addEventListener("dialog:opening", () => {
    list();
    dialog.querySelector("[data-keys-on]").checked = !off();
  });
  dialog?.querySelector("[data-keys-on]").addEventListener("change", (event) => remember(event.target.checked));
})();
