// The playground: each side is one fetch of the form's own address, whose lines of JSON are written into the page as they come.
// Without this script the form is sent as any other, and the page shows both answers when they are whole.
"use strict";

(() => {
  const form = document.getElementById("playground");
  if (!form) return;
  const stop = document.getElementById("playground-stop");
  const send = form.querySelector("[type=submit]");
  const answers = document.getElementById("playground-answers");
  const keep = document.getElementById("playground-keep");
  const words = document.getElementById("playground-words").dataset;
  let running = null;

  function box(name) {
    const section = document.getElementById("playground-answer").content.cloneNode(true).firstElementChild;
    section.setAttribute("aria-label", name);
    section.querySelector("h3").textContent = name;
    answers.querySelector(".pair").append(section);
    return {
      details: section.querySelector("details"),
      thinking: section.querySelector("details .answer-text"),
      text: section.querySelector(":scope > .answer-text"),
      problem: section.querySelector(".field-error"),
      facts: section.querySelector(".facts"),
      link: section.querySelector(".note"),
      token: "",
    };
  }

  function facts(side, figures) {
    side.facts.replaceChildren(...figures.map(([name, value]) => {
      const row = document.createElement("div");
      const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      detail.textContent = value;
      row.append(term, detail);
      return row;
    }));
  }

  function fail(side, sentence) {
    side.problem.hidden = false;
    side.problem.firstElementChild.textContent = sentence;
  }

  function take(side, line) {
    const message = JSON.parse(line);
    if (message.text) side.text.append(message.text);
    if (message.thinking) {
      side.details.hidden = false;
      side.thinking.append(message.thinking);
    }
    if (message.ttft_ms && !side.facts.childElementCount) facts(side, [[words.first, `${Math.round(message.ttft_ms)} ms`]]);
    if (!message.end) return;
    facts(side, message.end.figures);
    side.token = message.end.token;
    if (message.end.problem) fail(side, message.end.problem);
    if (message.end.url) {
      side.link.hidden = false;
      side.link.firstElementChild.href = message.end.url;
    }
  }

  async function answer(side, name, signal) {
    const body = new URLSearchParams(new FormData(form));
    body.set("side", name);
    try {
      const response = await fetch(form.action, { method: "POST", body, signal, headers: { accept: "application/x-ndjson" } });
      if (response.status === 429) { // an answer that was stopped keeps its place until the server sees that it is not read
        fail(side, words.busy);
        return;
      }
      if (!(response.headers.get("content-type") || "").startsWith("application/x-ndjson")) {
        form.submit(); // the page itself says what is wrong with the form, or with the session
        return;
      }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const lines = (rest + part.value).split("\n");
        rest = lines.pop();
        lines.forEach((line) => take(side, line));
      }
    } catch (error) {
      fail(side, error.name === "AbortError" ? words.stopped : words.broken);
    }
  }

  form.addEventListener("submit", async (event) => {
    if (!form.elements.prompt.value.trim()) return; // the page says so
    event.preventDefault();
    if (running) return;
    running = new AbortController();
    answers.querySelector(".pair").replaceChildren();
    answers.hidden = false;
    keep.hidden = true;
    stop.hidden = false;
    send.disabled = true;
    const names = ["first", "second"].filter((name) => form.elements[name].value);
    const sides = names.map((name) => box(form.elements[name].value));
    await Promise.all(sides.map((side, number) => answer(side, names[number], running.signal)));
    running = null;
    // After an answer htmx reads what is used of the caps, now and when the row is stored.
    if (sides.some((side) => side.facts.childElementCount)) form.dispatchEvent(new Event("answered"));
    stop.hidden = true;
    send.disabled = false;
    keep.querySelectorAll("[name=token]").forEach((input) => input.remove());
    for (const side of sides) keep.append(Object.assign(document.createElement("input"), { type: "hidden", name: "token", value: side.token }));
    keep.elements.prompt.value = form.elements.prompt.value.replace(/\r?\n/g, "\r\n");
    keep.hidden = sides.length < 2 || sides.some((side) => !side.token);
  });

  stop.addEventListener("click", () => running?.abort());
})();
