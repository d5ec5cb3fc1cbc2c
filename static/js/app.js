// What every page needs besides htmx: polls that rest with the tab, dialogs, toasts, and the time zone of the browser.
// Nothing here is needed to read a page or to send a form.
"use strict";

(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "long" });
  const clock = new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  });

  // "18 Jun, 14:00" as the server writes it, in the browser's zone; the UTC words stay as the tooltip. Whoever chose a zone has
  // the times in it already, and the foot of the page names it.
  function localise(root) {
    if (!document.querySelector("[data-zone]")) return;
    for (const element of root.querySelectorAll("time.when[datetime]:not([data-utc])")) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.valueOf()) || moment.getTimezoneOffset() === 0) continue;
      const part = Object.fromEntries(clock.formatToParts(moment).map(({ type, value }) => [type, value]));
      const year = moment.getFullYear() === new Date().getFullYear() ? "" : ` ${part.year}`;
      element.dataset.utc = element.textContent;
      element.title = `${element.textContent.replace(/ UTC$/, "")} UTC`;
      if (element.dataset.form === "weekday") {
        element.textContent = `${weekday.format(moment)} ${part.hour}:${part.minute}`;
        continue;
      }
      element.textContent = `${part.day} ${part.month.slice(0, 3)}${year}, ${part.hour}:${part.minute}`;
    }
  }

  function nameZone() {
    const note = document.querySelector("[data-zone]");
    if (!note || new Date().getTimezoneOffset() === 0) return;
    note.textContent = note.dataset.zone.replace("ZONE", zone);
  }

  // A poll (an element with data-poll) rests while the tab is hidden, while a field in it, or by the keyboard any control, has the
  // focus, and while text in it is selected; it catches up as soon as the tab is seen again.
  const missed = new Set();
  document.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (!element.matches("[data-poll]") || event.detail.requestConfig.verb !== "get") return;
    const busy = element.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, :focus-visible");
    const selected = String(document.getSelection()) && element.contains(document.getSelection().anchorNode);
    if (document.hidden || busy || selected) {
      event.preventDefault();
      if (document.hidden) missed.add(element);
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const element of missed) {
      if (element.isConnected) window.htmx.ajax("GET", element.getAttribute("hx-get"), element);
    }
    missed.clear();
  });

  // What the reader has opened stays open when its block is read anew.
  let opened = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    const summaries = event.detail.target.querySelectorAll("details[open]");
    opened = [...summaries].map((element) => element.id || element.closest("[id]")?.id).filter(Boolean);
    // 422 carries the form with its errors: show it, although htmx would not.
    if (event.detail.xhr.status === 422) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of opened) {
      const element = document.getElementById(id);
      const details = element?.matches("details") ? element : element?.querySelector("details");
      if (details) details.open = true;
    }
    opened = [];
  });
  document.addEventListener("htmx:load", (event) => localise(event.detail.elt));

  document.addEventListener("click", (event) => {
    const dismiss = event.target.closest("[data-dismiss]");
    if (dismiss) dismiss.closest(".toast, .notice")?.remove();
    const opener = event.target.closest("[data-opens]");
    const dialog = opener && document.getElementById(opener.dataset.opens);
    if (dialog) {
      dialog.dispatchEvent(new CustomEvent("dialog:opening"));
      dialog.showModal();
    }
    if (event.target.matches("dialog")) event.target.close();
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(copier);
  });

  // <button data-copy="#id-of-text" data-done="Copied">: the text stands on the page, so a reader without this can select it.
  async function copy(button) {
    const source = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
    button.textContent = button.dataset.done || button.textContent;
  }

  // The address, the file and the saved view of what is seen now, which a filter may have changed in place.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("[data-copy-link], [data-csv], [data-save]");
    if (!link) return;
    if (link.matches("[data-save]")) {
      link.search = new URLSearchParams({ address: location.pathname + location.search });
      return;
    }
    const query = new URLSearchParams(location.search);
    if (link.matches("[data-csv]")) {
      query.set("as", "csv");
      link.search = query;
    } else if (navigator.clipboard) {
      event.preventDefault();
      await navigator.clipboard.writeText(location.href);
      link.textContent = link.dataset.done;
    }
  });

  // The address of a filtered page carries only what is set.
  document.addEventListener("formdata", (event) => {
    if (event.target.method !== "get") return;
    for (const [name, value] of [...event.formData]) {
      if (value === "" && event.formData.getAll(name).every((other) => other === "")) event.formData.delete(name);
    }
  });

  // A select or a checkbox in a form marked so sends it at once; its button stays for those without a script.
  document.addEventListener("change", (event) => {
    event.target.closest("form[data-auto]")?.requestSubmit();
  });

  // How much of a form's file is on the other side: what is marked with data-upload in it shows while it is sent.
  document.addEventListener("htmx:xhr:progress", (event) => {
    const { lengthComputable, loaded, total } = event.detail;
    const box = event.target.querySelector("[data-upload]");
    if (!box || !lengthComputable || !total) return;
    const percent = Math.floor((100 * loaded) / total);
    box.hidden = false;
    box.querySelector("progress").value = percent;
    box.querySelector("b").textContent = `${percent} %`;
    box.parentElement.querySelector("[data-lost]").hidden = true;
  });
  for (const name of ["htmx:sendError", "htmx:responseError"]) {
    document.addEventListener(name, ({ target }) => {
      const box = target.querySelector("[data-upload]");
      if (!box) return;
      box.hidden = true;
      box.parentElement.querySelector("[data-lost]").hidden = false;
    });
  }

  // A table too wide for a phone is stacked there: each row becomes a block whose cells say their column. A template may do so by
  // itself (class "stack" and data-label) where it has better words; every other table gets them here, from its own heading.
  const narrow = matchMedia("(max-width: 46rem)");
  function stack(root) {
    for (const box of root.querySelectorAll(".table-box:not(.stack), .table-box[data-stacked]")) {
      const stacked = narrow.matches && ("stacked" in box.dataset || box.scrollWidth > box.clientWidth);
      if (stacked) {
        for (const table of box.querySelectorAll("table")) nameCells(table);
        box.dataset.stacked = "";
      }
      box.classList.toggle("stack", stacked);
    }
  }
  function nameCells(table) {
    const names = [];
    for (const head of table.tHead?.rows[table.tHead.rows.length - 1]?.cells ?? []) {
      for (let column = 0; column < head.colSpan; column += 1) names.push(head.textContent.replace(/\s+/g, " ").trim());
    }
    const lower = []; // of each column: how many rows more a cell from above takes
    for (const row of table.querySelectorAll(":scope > :is(tbody, tfoot) > tr")) {
      let column = 0;
      for (const cell of row.cells) {
        while (lower[column] > 0) column += 1;
        const words = cell.tagName === "TD" && cell.textContent.trim() && !cell.matches(".row-actions, [data-label]");
        if (words && names[column] && cell.colSpan < names.length) cell.dataset.label = names[column];
        for (let end = column + cell.colSpan; column < end; column += 1) lower[column] = cell.rowSpan;
      }
      for (const index of lower.keys()) lower[index] = Math.max(0, (lower[index] ?? 0) - 1);
    }
  }
  narrow.addEventListener("change", () => stack(document));
  document.addEventListener("toggle", (event) => stack(event.target), true); // what a closed part hides has no width
  document.addEventListener("htmx:load", (event) => stack(event.detail.elt.parentElement ?? document));

  localise(document);
  nameZone();
  stack(document);

  // A field with data-slide="least most step" gets a slider under it; the field itself holds what is sent.
  function slide(root) {
    for (const field of root.querySelectorAll("input[data-slide]")) {
      if (field.nextElementSibling?.matches(".slide")) continue;
      const [least, most, step] = field.dataset.slide.split(" ");
      const range = Object.assign(document.createElement("input"), { type: "range", className: "slide", min: least, max: most, step });
      range.setAttribute("aria-label", field.labels[0]?.textContent ?? field.name);
      const follow = () => {
        const now = parseFloat((field.value || field.placeholder).replace(/[, ]/g, ""));
        range.value = Number.isNaN(now) ? least : now;
      };
      follow();
      field.addEventListener("input", follow);
      range.addEventListener("input", () => { field.value = range.value; });
      range.addEventListener("change", () => field.form.requestSubmit());
      field.after(range);
    }
  }
  document.addEventListener("htmx:load", (event) => slide(event.detail.elt));
})();
