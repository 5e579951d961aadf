// Runs before the page is drawn, so that it does not flash in the other colours first.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const apply = () => {
    const chosen = localStorage.getItem("theme") ?? "auto";
    root.dataset.themeChoice = chosen;
    root.dataset.theme = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
    root.dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  root.addEventListener("themechosen", apply);
  apply();
})();
