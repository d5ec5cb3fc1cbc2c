// The next answer is loaded while a person reads the present one, and is there as soon as that is rated; what the server answers to
// the rating confirms it. Without this, and where nothing lies ahead, the form is sent as any other.
"use strict";

(() => {
  let sending = null;

  // An answer is used only as long as it is certainly reserved for this person.
  async function load() {
    const template = document.querySelector(".rate template[data-ahead]");
    if (sending || !template || template.dataset.until) return;
    template.dataset.until = Date.now() + 1000 * template.dataset.keepS;
    try {
      const response = await fetch(template.dataset.ahead);
      if (response.status === 200 && !response.redirected) template.innerHTML = await response.text();
    } catch { /* nothing lies ahead then */ }
  }

  function put(old, fresh) {
    old.replaceWith(fresh);
    window.htmx.process(fresh);
    window.htmx.trigger(fresh, "htmx:load");
    window.scrollTo(0, 0);
  }

  async function answered(form, data) {
    try {
      const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(data) });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const here = new URL(response.url).pathname === location.pathname && (response.ok || response.status === 422);
      return here ? { address: response.url, main: page.getElementById("main"), toasts: page.getElementById("toasts") } : {};
    } catch {
      return {};
    }
  }

  async function send(form, data, template) {
    const [old, fresh] = [form.closest(".rate"), template.content.querySelector(".rate")];
    const identifier = fresh.querySelector("[name=request]").value;
    data.set("ahead", identifier);
    document.getElementById("toasts").replaceChildren();
    put(old, fresh);
    const { address, main, toasts } = await answered(form, data);
    if (main) { // another answer is next, or the form has errors
      put(document.getElementById("main"), main);
      history.replaceState(history.state, "", address);
    } else if (toasts) {
      document.querySelector("#main .finding").replaceWith(template.content.querySelector(".finding"));
      document.getElementById("toasts").replaceChildren(...toasts.children);
      const query = new URLSearchParams(location.search);
      query.delete("find");
      query.set("at", identifier);
      history.replaceState(history.state, "", `?${query}`);
    } else { // what was typed about either answer is still in it
      put(fresh, old);
      template.content.append(fresh);
      form.querySelector("[data-lost]").hidden = false;
    }
  }

  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (!form.matches(".rate form.scale") || submitter?.name !== "stars") return;
    const template = form.closest(".rate").querySelector("template[data-ahead]");
    const ready = template?.content.querySelector(".rate") && Date.now() < template.dataset.until;
    if (!sending && !ready) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (sending) { // one rating after the other
      sending.then(() => { if (form.isConnected) form.requestSubmit(submitter); });
      return;
    }
    const data = new FormData(form, submitter);
    sending = Promise.resolve().then(() => send(form, data, template)).finally(() => {
      sending = null;
      load();
    });
  }, true);

  document.addEventListener("htmx:load", load);
  load();
})();
