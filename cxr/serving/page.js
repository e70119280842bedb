// The upload page: asks for the model's card, sends one picture, shows what comes back.
// Text goes in as text (textContent), never as markup; the file's own name is not sent.

const at = (id) => document.getElementById(id);
const show = (id, yes = true) => { at(id).hidden = !yes; };
const percent = (x) => `${(100 * x).toFixed(1)} %`;

let token = "";
let model = null;
let found = null;
let chosen = "";
let asking = null;

const made = (tag, words = "", kind = "") => {
  const node = document.createElement(tag);
  node.textContent = words;
  if (kind) node.className = kind;
  return node;
};

async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { ...options, headers });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  const words = typeof said.detail === "string" ? said.detail : `the service answered ${answer.status}`;
  throw Object.assign(new Error(words), { status: answer.status });
}

function complain(error) {
  at("status").textContent = "";
  at("fault").textContent = error instanceof TypeError ? "The service does not answer." : sentence(error.message);
  show("fault");
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? "" : ".");

async function enter() {
  try {
    model = await ask("/v1/model");
  } catch (error) {
    if (error.status === 401) {
      show("entry");
      if (token) at("entry-words").textContent = "That was another token. Try again.";
      at("token").focus();
    } else {
      show("asking");
      complain(error);
    }
    return;
  }
  show("entry", false);
  show("asking");
  show("phantom", model.phantom);
  describe();
  show("about");
}

// ---- the card

function value(x) {
  if (Array.isArray(x)) {
    if (x.every((y) => typeof y !== "object") && x.join(", ").length < 90) return made("span", x.join(", "));
    const list = made("ul");
    for (const y of x) { const item = made("li"); item.append(value(y)); list.append(item); }
    return list;
  }
  if (x && typeof x === "object") {
    return value(Object.entries(x).map(([key, y]) => `${key.replaceAll("_", " ")}: ${y && typeof y === "object" ? JSON.stringify(y) : y}`));
  }
  return made("span", typeof x === "number" ? x.toLocaleString("en-GB") : String(x ?? "unknown"));
}

function describe() {
  const { notice, what, intended_use, limits, ...others } = model.card; // the notice stands above
  const lines = { name: model.which ? `${model.name}, ${model.which}` : model.name, what, intended_use, limits, ...others, picture: `${model.size_px} × ${model.size_px} pixels`, "SHA-256": model.version_sha256 };
  const list = [];
  for (const [key, x] of Object.entries(lines)) {
    const told = made("dd");
    told.append(key === "SHA-256" ? made("code", x) : value(x));
    const title = key === "macs" ? "MACs" : key.replaceAll("_", " ");
    list.push(made("dt", title.replace(/^./, (c) => c.toUpperCase())), told);
  }
  at("card").replaceChildren(...list);
}

// ---- one picture

async function send(file) {
  if (asking) asking.abort(); // a newer picture counts
  const mine = asking = new AbortController();
  show("fault", false);
  show("result", false);
  document.body.classList.add("asked");
  at("status").textContent = "Asking the network…";
  const form = new FormData();
  form.append("image", file, "image"); // a file's own name may be a patient's
  try {
    const answer = await ask("/v1/predict?overlay=true", { method: "POST", body: form, signal: mine.signal });
    if (asking !== mine) return;
    found = answer;
    at("status").textContent = `Answered: ${file.name}`;
    tell();
  } catch (error) {
    if (error.name === "AbortError" || asking !== mine) return;
    if (error.status === 401) { show("asking", false); enter(); } else complain(error);
  } finally {
    if (asking === mine) asking = null;
  }
}

function tell() {
  const ranked = Object.entries(found.probabilities ?? {}).sort((a, b) => b[1] - a[1]);
  const drawn = Boolean(found.overlays);
  chosen = ranked[0]?.[0] ?? "";
  show("refusal", Boolean(found.refused));
  at("reason").textContent = found.refused ? sentence(found.refused) : "";
  show("scores", !found.refused);
  at("legend").textContent = (model.one_label ? "Probabilities; exactly one label applies" : "Probabilities; each label by itself")
    + (drawn ? ". Choose a label to see what speaks for it" : "");
  at("bars").replaceChildren(...ranked.map(([label, x]) => score(label, x, drawn)));
  at("strange").textContent = `Strangeness ${found.strangeness.toFixed(2)}; ${model.phantom ? "the larger, the less like what the model learned from" : `pictures above ${model.threshold} are refused`}.`;
  at("under").textContent = found.notice;
  show("switching", drawn);
  at("switch").setAttribute("aria-checked", "false");
  draw();
  show("result");
  at("result-title").focus({ preventScroll: true });
  at("result-title").scrollIntoView({ block: "nearest" });
}

function score(label, x, drawn) {
  const row = made(drawn ? "label" : "div", "", drawn ? "score choice" : "score");
  if (drawn) {
    const choice = Object.assign(made("input"), { type: "radio", name: "label", value: label, checked: label === chosen });
    choice.addEventListener("change", () => { chosen = label; at("switch").setAttribute("aria-checked", "true"); draw(); });
    row.append(choice);
  }
  const bar = made("div", "", "bar");
  bar.setAttribute("aria-hidden", "true");
  const full = made("span");
  full.style.width = `${100 * x}%`;
  bar.append(full);
  row.append(made("span", label.replaceAll("_", " "), "name"), made("span", percent(x), "value"), bar);
  return row;
}

function draw() {
  const over = found.overlays && at("switch").getAttribute("aria-checked") === "true";
  const name = chosen.replaceAll("_", " ");
  at("picture").src = over ? found.overlays[chosen] : found.picture;
  at("picture").alt = over ? `The X-ray; coloured is what speaks for ${name}` : "The X-ray as the model sees it";
  at("caption").textContent = over
    ? `Coloured is what speaks for ${name}, the more the stronger. It does not say where a disease is.`
    : `As the model sees it: grey, ${model.size_px} × ${model.size_px} pixels.`;
}

// ---- hands

at("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  at("token").value = "";
  enter();
});
at("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = ""; // so that the same file can be chosen again
  if (file) send(file);
});
at("switch").addEventListener("click", () => {
  const on = at("switch").getAttribute("aria-checked") !== "true";
  at("switch").setAttribute("aria-checked", String(on));
  draw();
});
// anywhere on the page: a picture that misses the field must not take the page's place
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  window.addEventListener(kind, (event) => {
    event.preventDefault();
    const over = kind === "dragenter" || kind === "dragover" || (kind === "dragleave" && event.relatedTarget);
    at("drop").classList.toggle("over", Boolean(over));
    if (kind !== "drop" || at("asking").hidden) return;
    const files = [...event.dataTransfer.files];
    if (files.length === 1) send(files[0]);
    else complain(new Error("one picture at a time, please"));
  });
}

enter();
