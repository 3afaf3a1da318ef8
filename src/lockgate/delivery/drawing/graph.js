"use strict";
(() => {
  const root = document.documentElement, panel = document.getElementById("panel"), shown = panel.querySelector("div");
  const boxes = [...document.querySelectorAll(".box")], wires = [...document.querySelectorAll(".wire")];
  const next = new Map(), before = new Map();
  const add = (map, from, to) => map.set(from, (map.get(from) || new Set()).add(to));
  for (const w of wires) { add(next, w.dataset.from, w.dataset.to); add(before, w.dataset.to, w.dataset.from); }
  const reach = (start, map) => {
    const seen = new Set([start]), todo = [start];
    while (todo.length) for (const n of map.get(todo.pop()) || []) if (!seen.has(n)) { seen.add(n); todo.push(n); }
    return seen;
  };
  let chosen = null;
  const clear = () => {
    chosen = null;
    root.classList.remove("tracing");
    for (const e of [...boxes, ...wires]) e.classList.remove("on", "chosen");
    panel.hidden = true;
    document.body.style.paddingBottom = "";
    history.replaceState(null, "", location.pathname + location.search);
  };
  const choose = (id) => {
    const up = reach(id, before), down = reach(id, next);
    chosen = id;
    for (const b of boxes) {
      b.classList.toggle("on", up.has(b.dataset.id) || down.has(b.dataset.id));
      b.classList.toggle("chosen", b.dataset.id === id);
    }
    for (const w of wires) {
      const { from, to } = w.dataset;
      w.classList.toggle("on", (up.has(from) && up.has(to)) || (down.has(from) && down.has(to)));
    }
    for (const w of wires) if (w.classList.contains("on")) w.parentNode.append(w);
    root.classList.add("tracing");
    const card = document.getElementById(id).cloneNode(true);
    card.removeAttribute("id");
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => leave());
    shown.replaceChildren(card, close);
    panel.hidden = false;
    document.body.style.paddingBottom = panel.offsetHeight + "px";
    const b = box(id), hidden = b ? b.getBoundingClientRect().bottom + 16 - (innerHeight - panel.offsetHeight) : 0;
    if (hidden > 0 || (b && b.getBoundingClientRect().top < 0)) scrollBy({ top: hidden > 0 ? hidden : b.getBoundingClientRect().top - 60 });
    history.replaceState(null, "", "#" + id);
  };
  const box = (id) => boxes.find((b) => b.dataset.id === id && b.getClientRects().length);
  const leave = () => { const last = chosen; clear(); const b = box(last); if (b) b.focus({ preventScroll: true }); };
  for (const b of boxes) b.addEventListener("click", (e) => {
    e.preventDefault();
    if (chosen === b.dataset.id) clear(); else choose(b.dataset.id);
  });
  panel.addEventListener("click", (e) => {
    const link = e.target.closest("a[href^='#b']");
    if (!link) return;
    e.preventDefault();
    choose(link.hash.slice(1));
    const b = box(chosen);
    if (b) b.focus({ preventScroll: true });
  });
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && chosen) leave();
    const here = e.target.closest && e.target.closest(".box");
    const map = { ArrowUp: before, ArrowDown: next }[e.key];
    if (!here || !map) return;
    const [first] = map.get(here.dataset.id) || [];
    if (first) { e.preventDefault(); choose(first); box(first).focus(); }
  });
  document.querySelector(".graph").addEventListener("click", (e) => { if (chosen && !e.target.closest(".box")) clear(); });
  root.classList.add("scripted");
  const asked = decodeURIComponent(location.hash.slice(1));
  if (boxes.some((b) => b.dataset.id === asked)) choose(asked);
})();
