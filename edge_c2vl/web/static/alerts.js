// Alerts: one entry for each reason, from its beginning to its end, with the highest level that it reached. Several
// stand side by side.

import { LEVELS, inWords, levelIcon, levelWord } from "./levels.js";

const MOST = 50;

export class Alerts {
  #list;
  #none;
  #entries = [];
  #when;
  #jump;

  // when: an alert -> the time that stands before it. jump: called with an alert's time where it is chosen, or null.
  constructor(list, none, when, jump) {
    [this.#list, this.#none, this.#when, this.#jump] = [list, none, when, jump];
  }

  set(alerts) {
    this.#entries = [];
    this.#list.replaceChildren();
    for (const alert of alerts) this.#take(alert);
    this.#show();
  }

  add(alert) {
    this.#take(alert);
    this.#show();
  }

  #take(alert) {
    const entry = this.#entries.findLast(
      (other) => other.endS === null && other.run === alert.run && other.reason === alert.reason,
    );
    if (alert.level === "none") {
      if (entry) entry.endS = alert.timestamp_s;
      return;
    }
    if (entry) {
      if (LEVELS.indexOf(alert.level) > LEVELS.indexOf(entry.level)) entry.level = alert.level;
      if (alert.state === "distracted") entry.label = alert.label;
      return;
    }
    const item = document.createElement("li");
    this.#entries.push({ ...alert, startS: alert.timestamp_s, endS: null, item });
    this.#list.prepend(item);
    if (this.#entries.length > MOST) this.#entries.shift().item.remove();
  }

  #show() {
    this.#none.hidden = this.#entries.length > 0;
    this.#list.hidden = this.#entries.length === 0;
    for (const entry of this.#entries) {
      const shown = `${entry.level} ${entry.reason} ${entry.label} ${entry.endS}`;
      if (entry.shown === shown) continue;
      entry.shown = shown;
      const line = document.createElement(this.#jump ? "button" : "div");
      if (this.#jump) {
        line.type = "button";
        line.onclick = () => this.#jump(entry.startS);
      }
      const level = part("level", levelWord[entry.level]);
      level.prepend(levelIcon(entry.level));
      line.append(
        part("time", this.#when(entry)),
        level,
        part("why", [entry.reason, inWords(entry.label !== entry.state ? entry.label : null)].filter(Boolean).join(" · ")),
        part("length", entry.endS === null ? "now" : `${Math.max(0, entry.endS - entry.startS).toFixed(1)} s`),
      );
      entry.item.dataset.level = entry.level;
      entry.item.replaceChildren(line);
    }
  }
}

function part(name, text) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}
