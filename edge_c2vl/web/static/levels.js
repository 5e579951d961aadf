// Levels of alerts: words and shapes, so that they are told apart without colour.

export const LEVELS = ["none", "notice", "warning", "critical"];

export const levelWord = { none: "No alert", notice: "Notice", warning: "Warning", critical: "Critical" };

export function levelIcon(level) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${level}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

// Every alert that stands, the loudest first: [{level, reason}]. Decisions of schema 1 tell the level alone.
export const standing = ({ alert, alerts }) => alerts ?? (alert === "none" ? [] : [{ level: alert, reason: null }]);

// Labels and reasons as people write them.
export const inWords = (name) => name?.replaceAll("_", " ") ?? null;
export const headline = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export const percent = (part) => (part === null || part === undefined || Number.isNaN(part) ? null : `${Math.round(100 * part)} %`);
