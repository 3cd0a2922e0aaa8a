"use strict";
/* What all parts of the page share: its blocks of JSON, elements made without any markup, and the theme. */
const page = (() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const block = (id) => JSON.parse(byId(id).textContent);

  /* Makes an element; texts become text nodes, so whatever stands in them is only ever shown. */
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) made.setAttribute(key, String(value));
    }
    for (const child of children.flat()) {
      if (child !== null && child !== undefined && child !== "") made.append(child);
    }
    return made;
  }

  const count = (number) => Number(number).toLocaleString("en-US");

  function lasted(ms) {
    if (ms === null || ms === undefined) return "";
    if (ms < 10000) return `${count(Math.round(ms))} ms`;
    const seconds = ms / 1000;
    if (seconds < 120) return `${seconds.toFixed(1)} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 120) return `${minutes} min ${Math.round(seconds % 60)} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  const moment = (seconds, length = 19) => new Date(seconds * 1000).toISOString().slice(0, length).replace("T", " ");

  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : window.matchMedia("(prefers-color-scheme: dark)").matches;
  const themeListeners = [];
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

  function themeChanged() {
    byId("theme").textContent = isDark() ? "Light" : "Dark";
    byId("theme").setAttribute("aria-label", isDark() ? "Show in light colours" : "Show in dark colours");
    themeListeners.forEach((tell) => tell());
  }

  function setTheme(theme) {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    themeChanged();
  }

  function startTheme() {
    const button = byId("theme");
    button.hidden = false;
    button.addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themeChanged);
    let before = null;
    window.addEventListener("beforeprint", () => {
      before = root.dataset.theme || "";
      setTheme("light");
    });
    window.addEventListener("afterprint", () => {
      if (before !== null) setTheme(before);
      before = null;
    });
    themeChanged();
  }

  const facts = block("facts");
  return { block, byId, colour, count, element, facts, lasted, moment, onTheme: (tell) => themeListeners.push(tell), startTheme };
})();
