// The page works without this file. It adds two things: choices that follow what is typed, and why a day is closed.
"use strict";

for (const input of document.querySelectorAll("input[data-choices]")) {
  if (input.hasAttribute("data-complete")) continue;
  const list = document.getElementById(input.getAttribute("list"));
  let waiting, latest = 0;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const turn = ++latest;
      const query = new URLSearchParams({ field: input.dataset.choices, q: input.value, limit: 40 });
      const reply = await fetch("/choices?" + query).catch(() => null);
      if (!reply || !reply.ok || turn !== latest) return;
      const found = await reply.json();
      list.replaceChildren(...found.choices.map((choice) => {
        const option = document.createElement("option");
        option.value = choice.value;
        option.textContent = choice.label;
        return option;
      }));
    }, 120);
  });
}

for (const hint of document.querySelectorAll("[data-closed]")) {
  const closed = JSON.parse(hint.dataset.closed);
  const input = document.getElementById(hint.dataset.for);
  const said = document.createElement("span");
  said.className = "closed";
  said.setAttribute("aria-live", "polite");
  hint.append(said);
  const tell = () => { said.textContent = closed[input.value] || ""; };
  input.addEventListener("input", tell);
  tell();
}

const problem = document.getElementById("problem");
if (problem) problem.focus();
