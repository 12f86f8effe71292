"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  const theme = byId("theme");
  const root = document.documentElement;
  let dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const named = () => { theme.textContent = dark ? "Light" : "Dark"; };
  theme.hidden = false;
  named();
  theme.addEventListener("click", () => {
    dark = !dark;
    root.style.colorScheme = dark ? "dark" : "light";
    named();
  });

  for (const button of document.querySelectorAll(".copy")) {
    const text = byId(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  const board = document.querySelector(".board");
  const more = byId("more");
  const trials = board ? board.querySelectorAll(".trial").length : 0;
  if (trials > 24) {
    const label = () => {
      more.textContent = board.classList.contains("short") ? `Show all ${trials}` : "Show the first 20";
    };
    board.classList.add("short");
    more.hidden = false;
    label();
    more.addEventListener("click", () => { board.classList.toggle("short"); label(); });
  }

  const filter = byId("filter");
  if (filter) {
    const text = byId("filter-text");
    const kind = byId("filter-kind");
    const rows = [...document.querySelectorAll(".failure")].map((row) => ({
      row, kind: row.dataset.kind, text: row.textContent.toLowerCase(),
    }));
    const all = byId("all-failures");
    let most = 25;
    const apply = () => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = kind ? kind.value : "";
      let fitting = 0;
      for (const entry of rows) {
        const fits = (!wanted || entry.kind === wanted) && words.every((word) => entry.text.includes(word));
        entry.row.hidden = !fits || fitting >= most;
        fitting += fits ? 1 : 0;
      }
      byId("filter-count").textContent = `${Math.min(fitting, most)} of ${fitting} shown`;
      all.hidden = fitting <= most;
      all.textContent = `Show all ${fitting}`;
    };
    all.addEventListener("click", () => { most = Infinity; apply(); });
    filter.hidden = false;
    text.addEventListener("input", apply);
    if (kind) kind.addEventListener("change", apply);
    apply();
  }
})();
