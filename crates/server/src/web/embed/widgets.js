// Mainstay's widgets: the server's own components, each in a shadow root. No dependency, no inline
// style, no eval: under a strict policy, list Mainstay's origin in script-src, style-src and
// connect-src.
(() => {
  const OWN = [...document.scripts].map((script) => script.src).filter((src) => /\/widgets\.js(\?|$)/.test(src));
  const LOADED_FROM = (document.currentScript && document.currentScript.src) || OWN.at(-1);
  const BASE = "/widgets/v1";
  const STYLE = `${BASE}/style.css?v=STYLE_VERSION`;
  // How long an answer is good for when somebody comes back to the page.
  const FRESH_MS = 60_000;
  const PARTS = { "score-h": "mainstay-score-card", "heat-h": "mainstay-heatmap", "ins-h": "mainstay-insights" };
  const DONE = { "mark-read": "Marked as read", "acted-on": "Marked as done", dismiss: "Dismissed" };

  const trusted = window.trustedTypes
    ? window.trustedTypes.createPolicy("mainstay", { createHTML: (html) => html })
    : { createHTML: (html) => html };

  function parsed(html) {
    const template = document.createElement("template");
    template.innerHTML = trusted.createHTML(html);
    return template.content;
  }

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  class Expired extends Error {}

  class Widget extends HTMLElement {
    static observedAttributes = ["server", "token"];

    #root = this.attachShadow({ mode: "open" });
    #content = element("div");
    #said = element("div", { className: "vh", role: "status" });
    #style;
    #asked = 0;
    #loadedAt = 0;
    #queued = false;

    constructor() {
      super();
      this.#root.addEventListener("click", (event) => this.#follow(event));
      this.#root.addEventListener("submit", (event) => this.#send(event));
    }

    get token() {
      return this.getAttribute("token");
    }
    set token(value) {
      if (value == null) this.removeAttribute("token");
      else this.setAttribute("token", value);
    }
    get server() {
      return this.getAttribute("server") || LOADED_FROM;
    }
    set server(value) {
      this.setAttribute("server", value);
    }

    connectedCallback() {
      this.returned = () => {
        if (!document.hidden && Date.now() - this.#loadedAt > FRESH_MS) this.refresh();
      };
      document.addEventListener("visibilitychange", this.returned);
      this.#soon();
    }

    disconnectedCallback() {
      document.removeEventListener("visibilitychange", this.returned);
    }

    attributeChangedCallback(name, before, after) {
      if (before !== after && this.isConnected) this.#soon();
    }

    // Several attributes set one after the other lead to one request.
    #soon() {
      if (this.#queued) return;
      this.#queued = true;
      queueMicrotask(() => {
        this.#queued = false;
        this.refresh();
      });
    }

    /** Asks the server again. */
    refresh() {
      return this.#show(this.constructor.path);
    }

    #url(path) {
      return new URL(path, this.server);
    }

    #styled(url) {
      if (this.#style && this.#style.link.href === url.href) return this.#style.loaded;
      const link = element("link", { rel: "stylesheet", href: url.href });
      const loaded = new Promise((done) => link.addEventListener("load", done, { once: true }));
      // A widget without its style is still better than none.
      const failed = new Promise((done) => link.addEventListener("error", done, { once: true }));
      this.#style = { link, loaded: Promise.race([loaded, failed]) };
      this.#root.replaceChildren(link, this.#said, this.#content);
      return this.#style.loaded;
    }

    async #ask(path, options = {}) {
      const headers = { Authorization: `Bearer ${this.token}` };
      const answer = await fetch(this.#url(BASE + path), {
        ...options, headers, credentials: "omit", referrerPolicy: "no-referrer",
      });
      if (answer.status === 401) throw new Expired();
      const text = await answer.text();
      if (answer.ok) return text;
      let detail = `The server answered ${answer.status}.`;
      try {
        detail = JSON.parse(text).detail || detail;
      } catch {
        // No problem details: a proxy on the way, perhaps.
      }
      throw new Error(detail);
    }

    async #show(path, options, then) {
      const asked = ++this.#asked;
      if (!this.server) return this.#say("Set the attribute server to the address of Mainstay.");
      if (!this.token) return this.#say("Waiting for a token.");
      const styled = this.#styled(this.#url(STYLE));
      if (!this.#loadedAt) this.#state("Loading…");
      this.setAttribute("aria-busy", "true");
      try {
        const [html] = await Promise.all([this.#ask(path, options), styled]);
        if (asked !== this.#asked) return;
        this.#loadedAt = Date.now();
        this.#said.textContent = "";
        this.#content.replaceChildren(parsed(html));
        this.#localise();
        if (then) then();
        this.dispatchEvent(new CustomEvent("mainstay-load", { bubbles: true, composed: true }));
      } catch (error) {
        if (asked !== this.#asked) return;
        if (error instanceof Expired) this.#expired();
        else if (error instanceof TypeError) this.#unreachable();
        else this.#say(error.message, true);
      } finally {
        if (asked === this.#asked) this.removeAttribute("aria-busy");
      }
    }

    // Links and forms of the server's own pages: with its address in front they also open in a tab.
    #localise() {
      for (const link of this.#content.querySelectorAll("a[href^='/']")) {
        link.dataset.path = link.getAttribute("href");
        link.href = this.#url(link.dataset.path).href;
      }
    }

    #state(text, retry) {
      const state = element("div", { className: "state" }, text);
      if (retry) {
        const button = element("button", { className: "btn s", type: "button", textContent: "Try again" });
        button.addEventListener("click", () => this.refresh());
        state.append(button);
      }
      this.#content.replaceChildren(state);
    }

    #say(text, retry) {
      const url = this.server && this.#url(STYLE);
      if (url) this.#styled(url);
      this.#state(text, retry);
      this.#said.textContent = text;
    }

    #expired() {
      const before = this.token;
      this.dispatchEvent(new CustomEvent("mainstay-token-expired", { bubbles: true, composed: true }));
      // Who listens sets a new token, now or later, and that asks again.
      if (this.token === before) this.#say("This view has expired. Reload the page to go on.");
    }

    #unreachable() {
      this.#say(`${this.#url("/").host} cannot be reached from here. If it is running, ${location.origin} has to be among its allowed sites.`, true);
    }

    #follow(event) {
      if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      const link = event.composedPath().find((node) => node.localName === "a");
      if (!link || !link.dataset.path) return;
      const url = this.#url(link.dataset.path);
      if (url.pathname === "/client/events") {
        event.preventDefault();
        this.#show(`/events${url.search}`, {}, () => this.#backable());
      } else if (url.pathname.startsWith("/client/")) {
        event.preventDefault();
        this.#open(url.hash.slice(1));
      }
    }

    #backable() {
      const back = element("button", { className: "btn s back", type: "button", textContent: "Back" });
      back.addEventListener("click", () => this.#show(this.constructor.path, {}, () => this.#focus()));
      this.#content.prepend(back);
      back.focus();
    }

    // A part of the client's page: the widget that shows it, if there is one here, or else the page.
    #open(part) {
      const shown = PARTS[part] && document.querySelector(PARTS[part]);
      const opened = new CustomEvent("mainstay-open", {
        bubbles: true, composed: true, cancelable: true, detail: { part },
      });
      if (!this.dispatchEvent(opened)) return;
      if (shown) {
        shown.scrollIntoView({ block: "start" });
        shown.#focus();
      } else {
        const page = this.#url("/client/sign-in");
        page.searchParams.set("token", this.token);
        window.open(page, "_blank", "noopener");
      }
    }

    #focus() {
      const heading = this.#root.querySelector("h2");
      if (!heading) return;
      heading.tabIndex = -1;
      heading.focus();
    }

    #send(event) {
      const form = event.target;
      const path = new URL(form.getAttribute("action"), this.#url("/")).pathname;
      event.preventDefault();
      if (!path.startsWith("/client/insights/")) return;
      const body = new URLSearchParams(new FormData(form, event.submitter));
      const action = body.get("action");
      this.#show(path.replace("/client", ""), { method: "POST", body }, () => {
        this.#focus();
        this.#said.textContent = DONE[action] || "";
        const detail = { id: path.split("/").pop(), action };
        this.dispatchEvent(new CustomEvent("mainstay-insight", { bubbles: true, composed: true, detail }));
      });
    }
  }

  for (const name of ["score-card", "heatmap", "insights", "alert-badge"]) {
    if (customElements.get(`mainstay-${name}`)) continue;
    customElements.define(`mainstay-${name}`, class extends Widget {
      static path = `/${name}`;
    });
  }
})();
