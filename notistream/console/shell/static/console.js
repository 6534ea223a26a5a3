// On every page: update relative times, replace parts marked data-live, and mark old figures.
const TIMEOUT_MS = 10_000;
const rendered = Date.parse(document.body.dataset.at);
const offset = rendered - Date.now(); // how far the server's clock is ahead of this one
const refresh = Number(document.body.dataset.refresh || 0) * 1000;
const fresh = document.getElementById("fresh");
const stale = document.getElementById("stale");
let updated = rendered;

const words = (seconds) => {
  for (const [name, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${name}`;
  }
  return `${Math.floor(seconds)} s`;
};

const ago = (seconds) => {
  if (Math.abs(seconds) < 1) return "just now";
  return seconds > 0 ? `${words(seconds)} ago` : `in ${words(-seconds)}`;
};

function showTimes() {
  const now = Date.now() + offset;
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = ago((now - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
  const clock = `${new Date(updated).toISOString().slice(11, 19)} UTC`;
  fresh.textContent = refresh ? `Live · ${clock}` : `as of ${clock}`;
}

function showTrouble(text) {
  document.body.classList.toggle("stale", Boolean(text));
  fresh.classList.toggle("bad", Boolean(text));
  stale.hidden = !text;
  if (stale.textContent !== text) stale.textContent = text;
}

// Do not replace a part in use: with a checked box, an open menu or the cursor in a field.
const inUse = (part) => part.querySelector("input:checked, input:focus, select:focus, textarea:focus") !== null;

function replace(part, next) {
  if (part.isEqualNode(next) || inUse(part)) return;
  const open = [...part.querySelectorAll("details[id][open]")].map((found) => found.id);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const scrolled = [...part.querySelectorAll(".scroll")].map((found) => found.scrollLeft);
  part.replaceWith(next);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  next.querySelectorAll(".scroll").forEach((found, at) => { found.scrollLeft = scrolled[at] ?? 0; });
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function update() {
  const answer = await fetch(location.href, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
  if (answer.type === "opaqueredirect") throw new Error("You are signed out. Load the page to sign in again");
  if (!answer.ok) throw new Error(`The server answers ${answer.status}`);
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const found = next.getElementById(part.id);
    if (found) replace(part, document.importNode(found, true));
  }
  updated = Date.parse(next.body.dataset.at);
}

async function keepLive() {
  for (;;) {
    await new Promise((done) => setTimeout(done, refresh));
    if (document.hidden) {
      await new Promise((shown) => document.addEventListener("visibilitychange", shown, { once: true }));
    }
    try {
      await update();
      showTrouble("");
    } catch (error) {
      const why = error.message.startsWith("You are") || error.message.startsWith("The server")
        ? error.message : "The server does not answer";
      showTrouble(`${why}. The figures are from ${new Date(updated).toISOString().slice(11, 19)} UTC.`);
    }
    showTimes();
  }
}

// Light or dark: the system's choice, unless the operator chooses here.
function offerThemes() {
  const button = document.getElementById("theme");
  const isDark = () => (document.documentElement.dataset.theme
    || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.cookie = `notistream_theme=${theme}; path=/console; SameSite=Strict; max-age=31536000`;
    show();
  });
  show();
  button.hidden = false;
}

// data-confirm asks first; data-all checks or clears all boxes of a table; a form is sent once.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !confirm(question)) {
    event.preventDefault();
    return;
  }
  if (event.submitter?.formTarget) return; // into a frame: this page stays
  setTimeout(() => event.submitter?.setAttribute("disabled", ""), 0);
});
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const box of event.target.closest("table").querySelectorAll("tbody input[type=checkbox]")) {
    box.checked = event.target.checked;
  }
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[disabled]:not([title])")) button.removeAttribute("disabled");
});

// Long work is done in steps: its form submits itself while the page is open.
const nextStep = document.querySelector("form[data-next-step]");
if (nextStep) setTimeout(() => nextStep.requestSubmit(), 250); // long enough to read the page and to stop

offerThemes();
showTimes();
setInterval(showTimes, 1000);
if (refresh) keepLive();
