"use strict";

const POLL_MS = 2000;
const SAMPLES = 30; // a minute of polls
const KEY_NAME = "ttdirect-key";
const HEADLINES = {
  healthy: "Ready.",
  loading: "Loading.",
  draining: "Shutting down.",
  failed: "Failed.",
  away: "Not reachable.",
};
const EXAMPLES = {
  "/chat": { prompt: "What is machine learning?" },
  "/chat/stream": { prompt: "What is machine learning?" },
  "/v1/completions": { model: "MODEL", prompt: "Once upon a time", max_tokens: 64 },
  "/v1/chat/completions": {
    model: "MODEL",
    messages: [{ role: "user", content: "What is machine learning?" }],
  },
  "/tokenize": { prompt: "What is machine learning?" },
  "/detokenize": { tokens: [1, 2, 3] },
};

const byId = (id) => document.getElementById(id);
let needsKey = false;
let model = "";

function request(path, options = {}) {
  const key = sessionStorage.getItem(KEY_NAME);
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  return fetch(path, { ...options, headers });
}

/** Whether there is a point in asking for more than the open routes. */
function mayAsk() {
  return !needsKey || sessionStorage.getItem(KEY_NAME) !== null;
}

function askForKey() {
  if (sessionStorage.getItem(KEY_NAME) !== null) {
    sessionStorage.removeItem(KEY_NAME);
    setText("key-label", "The server does not know that key. Which one is right?");
  }
  byId("key-form").hidden = false;
}

/* The state of the server */

async function showState() {
  const health = await (await request("/health")).json();
  const headline = byId("state");
  if (headline.dataset.status !== health.status) {
    headline.dataset.status = health.status;
    headline.textContent = HEADLINES[health.status] ?? health.status;
  }
  const share = Math.round(health.progress * 100);
  const note = /[.!?]$/.test(health.note) ? health.note : `${health.note}.`;
  setText("note", health.status === "loading" ? `${note} ${share} % done.` : note);
  const facts = [health.model, health.device, `version ${health.version}`];
  setText("facts", facts.filter(Boolean).join("  ·  "));
  setText("running", `${health.running} of ${health.max_batch_size}`);
  setText("queued", String(health.queued));
  const isNew = health.model && health.model !== model;
  model = health.model ?? model;
  if (isNew) showRoutes();
}

function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/* Metrics */

const rates = [];
let before = null;

async function showMetrics() {
  if (!mayAsk()) return askForKey();
  const response = await request("/metrics");
  if (response.status === 401) return askForKey();
  byId("key-form").hidden = true;
  const metrics = read(await response.text());
  const now = performance.now();
  const tokens = metrics["ttdirect:generation_tokens_total"];
  if (tokens === undefined) return; // no model yet
  if (before) {
    // A server that was started again counts from zero.
    const made = Math.max(0, tokens - before.tokens);
    rates.push(made / ((now - before.at) / 1000));
    if (rates.length > SAMPLES) rates.shift();
  }
  before = { tokens, at: now };
  showRate();
  const use = metrics["ttdirect:kv_cache_usage_perc"];
  setText("cache", `${(use * 100).toFixed(use > 0 && use < 0.1 ? 1 : 0)} %`);
  byId("cache-bar").style.width = `${use * 100}%`;
}

/** The last value of each metric in Prometheus' text; fine for those that come once. */
function read(text) {
  const values = {};
  for (const line of text.split("\n")) {
    const found = /^([a-z_:]+)(?:\{.*\})? (\S+)$/.exec(line);
    if (found) values[found[1]] = Number(found[2]);
  }
  return values;
}

function showRate() {
  const rate = rates.at(-1) ?? 0;
  setText("speed", rate < 10 ? rate.toFixed(1) : String(Math.round(rate)));
  const top = Math.max(1, ...rates);
  const points = rates.map((value, n) => {
    const x = (290 * (n + SAMPLES - rates.length)) / (SAMPLES - 1);
    return `${x.toFixed(1)},${(62 - (58 * value) / top).toFixed(1)}`;
  });
  if (!points.length) return;
  const line = `M${points.join("L")}`;
  byId("speed-line").setAttribute("d", line);
  const left = points[0].split(",")[0];
  byId("speed-area").setAttribute("d", `${line}L290,64L${left},64Z`);
}

/* A question and its answer */

const stopButton = byId("stop");
let running = null;

byId("ask-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  running = new AbortController();
  begin();
  try {
    await ask(question(), running.signal);
  } catch (error) {
    if (error.name === "AbortError") setText("progress", "Stopped.");
    else tell(error instanceof TypeError ? "The server cannot be reached." : error.message);
  } finally {
    running = null;
    end();
  }
});

byId("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("ask-form").requestSubmit();
  }
});

stopButton.addEventListener("click", () => running?.abort());

function question() {
  const fields = { prompt: byId("prompt").value };
  for (const input of byId("ask-form").querySelectorAll("input")) {
    if (input.value === "") continue;
    fields[input.name] = input.type === "number" ? Number(input.value) : input.value;
  }
  return fields;
}

function begin() {
  byId("problem").hidden = true;
  byId("figures").hidden = true;
  const answer = byId("answer");
  answer.textContent = "";
  answer.hidden = false;
  answer.setAttribute("aria-busy", "true");
  setText("progress", "Waiting for the first token …");
  byId("ask").disabled = true;
  stopButton.hidden = false;
}

function end() {
  const answer = byId("answer");
  answer.setAttribute("aria-busy", "false");
  if (!answer.textContent) answer.hidden = true;
  const hadFocus = document.activeElement === stopButton;
  byId("ask").disabled = false;
  stopButton.hidden = true;
  if (hadFocus) byId("ask").focus();
}

function tell(sentence) {
  setText("progress", "");
  const problem = byId("problem");
  problem.textContent = sentence;
  problem.hidden = false;
}

async function ask(fields, signal) {
  const response = await request("/chat/stream", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
    signal,
  });
  if (!response.ok) {
    if (response.status === 401) askForKey();
    const body = await response.json();
    throw new Error(body.error);
  }
  const answer = byId("answer");
  for await (const event of events(response.body)) {
    if (event.error) throw new Error(event.error);
    if (event.text !== undefined) {
      if (!answer.textContent) setText("progress", "Answering …");
      answer.append(event.text);
    } else {
      showFigures(event);
    }
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) if (part.startsWith("data: ")) yield JSON.parse(part.slice(6));
  }
}

function showFigures(figures) {
  const first = figures.ttft_seconds;
  setText("figure-speed", figures.tokens_per_second.toFixed(1));
  setText("figure-ttft", first < 1 ? `${Math.round(first * 1000)} ms` : `${first.toFixed(2)} s`);
  setText("figure-tokens", String(figures.tokens_generated));
  setText("figure-reason", figures.finish_reason);
  byId("figures").hidden = false;
  setText("progress", `Answered in ${figures.time_seconds.toFixed(2)} s.`);
}

/* Routes */

async function showRoutes() {
  if (!mayAsk()) return;
  const response = await request("/openapi.json");
  if (!response.ok) return;
  const { paths } = await response.json();
  const items = [];
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { summary }] of Object.entries(methods)) {
      items.push(routeItem(method.toUpperCase(), path, summary));
    }
  }
  byId("routes").replaceChildren(...items);
}

function routeItem(method, path, summary) {
  const item = element("li");
  const title = element("h3");
  title.append(element("span", method), path);
  const code = element("pre", curl(method, path));
  code.hidden = true;
  const copy = element("button");
  copy.type = "button";
  const say = (words) => {
    copy.textContent = words;
    copy.setAttribute("aria-label", `${words} for ${method} ${path}`);
  };
  say("Copy curl");
  copy.addEventListener("click", async () => {
    code.hidden = false;
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("Copied");
    } catch {
      getSelection().selectAllChildren(code); // browsers keep the clipboard for secure pages
      say("Press Ctrl+C");
    }
    setTimeout(() => say("Copy curl"), 2000);
  });
  item.append(title, element("p", summary), copy, code);
  return item;
}

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function curl(method, path) {
  const parts = [`curl ${path === "/chat/stream" ? "-N " : ""}${location.origin}${path}`];
  if (needsKey) parts.push('-H "Authorization: Bearer $TTDIRECT_API_KEY"');
  if (method === "POST") {
    const body = JSON.stringify(EXAMPLES[path] ?? {}).replace("MODEL", model || "MODEL");
    parts.push("-H 'Content-Type: application/json'", `-d '${body}'`);
  }
  return parts.join(" \\\n  ");
}

/* Life */

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY_NAME, byId("key").value.trim());
  byId("key").value = "";
  poll();
  showRoutes();
});

async function poll() {
  if (document.hidden) return;
  try {
    await Promise.all([showState(), showMetrics()]);
  } catch {
    byId("state").dataset.status = "away";
    setText("state", HEADLINES.away);
    setText("note", "The server does not answer. This page goes on asking.");
    before = null;
  }
}

async function start() {
  // The answer to this one needs no key.
  const summary = await (await request("/", { headers: { Accept: "application/json" } })).json();
  needsKey = summary.needs_key;
  showRoutes();
}

document.addEventListener("visibilitychange", () => {
  before = null; // what happened meanwhile would look like one long moment
  poll();
});
setInterval(poll, POLL_MS);
start()
  .catch(() => undefined) // then the first poll says so
  .then(poll);
