// Preview a template while it is edited: request the same page and take its preview part.
const PAUSE_MS = 350;
const TIMEOUT_MS = 10_000;
const form = document.querySelector("form[data-previews]");
const trouble = document.getElementById("preview-trouble");
let waiting;
let latest = 0;

async function update() {
  const mine = ++latest;
  try {
    const answer = await fetch("/console/templates/preview", {
      method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(answer.type);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("preview");
    if (mine !== latest) return;
    document.getElementById("preview").replaceWith(document.importNode(next, true));
    trouble.hidden = true;
    const html = document.getElementById("show-html");
    if (html) form.requestSubmit(html); // into the new frame, which adds nothing to the browser's history
  } catch {
    if (mine === latest) trouble.hidden = false;
  }
}

form?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(update, PAUSE_MS);
});
