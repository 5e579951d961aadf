// A strip a reason: the level of its alert over the last minute. The higher the level, the taller and the denser it is.

import { colour, drawing } from "./canvas.js";
import { LEVELS, headline, levelWord, standing } from "./levels.js";
import { SPAN_S, stretches } from "./minute.js";

const TALLNESS = { notice: 0.4, warning: 0.7, critical: 1 };

export class Reasons {
  #list;
  #rows = [];
  #decisions = [];

  constructor(list) {
    this.#list = list;
  }

  // reasons: all that this run may give, in the order in which they are listed.
  setReasons(reasons) {
    this.#rows = reasons.map((reason) => {
      const item = document.createElement("li");
      const [name, canvas, value] = ["span", "canvas", "span"].map((kind) => document.createElement(kind));
      [name.className, value.className] = ["name", "value"];
      name.textContent = headline(reason);
      canvas.setAttribute("aria-hidden", "true");
      item.append(name, canvas, value);
      return { reason, item, value, redraw: drawing(canvas, (...area) => this.#draw(reason, ...area)) };
    });
    this.#list.replaceChildren(...this.#rows.map(({ item }) => item));
  }

  show(decisions) {
    this.#decisions = decisions;
    const newest = decisions.at(-1);
    for (const { reason, item, value, redraw } of this.#rows) {
      const level = newest ? levelOf(newest, reason) : "none";
      const text = level === "none" ? "–" : levelWord[level];
      if (value.textContent !== text) value.textContent = text;
      item.dataset.level = level;
      redraw();
    }
  }

  #draw(reason, context, width, height) {
    const end = this.#decisions.at(-1)?.timestamp_s ?? 0;
    const x = (time) => width * (1 - (end - time) / SPAN_S);
    context.fillStyle = colour("field");
    context.fillRect(0, 0, width, height);
    for (const [from, to, level] of stretches(this.#decisions, (decision) => levelOf(decision, reason))) {
      if (level === "none") continue;
      const tall = TALLNESS[level] * height;
      context.fillStyle = colour(level);
      context.fillRect(x(from), height - tall, Math.max(x(to) - x(from), 2), tall);
    }
  }
}

// Where a reason stands several times, the loudest comes first.
function levelOf(decision, reason) {
  const level = standing(decision).find((alert) => alert.reason === reason)?.level ?? "none";
  return LEVELS.includes(level) ? level : "none";
}
