// What is watched, a row each: its state, a strip of the last minute, and how much has been learnt of the driver. A strip
// shows how much of the time to the loudest alert is used up, and over it the level of the alert: the higher, the taller.

import { colour, drawing } from "./canvas.js";
import { LEVELS, headline, levelIcon, levelWord, percent, standing } from "./levels.js";
import { SPAN_S, stretches } from "./minute.js";

const TALLNESS = { notice: 0.4, warning: 0.7, critical: 1 };
const NAMES = { drowsy: "Drowsiness", unresponsive: "Response", "another driver or camera": "Other driver" };
const CALM = ["attentive", "ahead", "open", "awake", "upright"];

export class Reasons {
  #body;
  #rows = [];
  #decisions = [];

  constructor(body) {
    this.#body = body;
  }

  // aspects: [{name, watched, reasons}], in the order in which they are listed. watched: whether decisions tell its state;
  // reasons: of the alerts that come of it.
  set aspects(aspects) {
    this.#rows = aspects.map((aspect) => {
      const row = document.createElement("tr");
      const [name, strip, state, learnt] = ["th", "td", "td", "td"].map((kind) => document.createElement(kind));
      name.scope = "row";
      name.textContent = NAMES[aspect.name] ?? headline(aspect.name);
      [state.className, learnt.className] = ["state", "learnt"];
      const canvas = document.createElement("canvas");
      canvas.setAttribute("aria-hidden", "true");
      strip.append(canvas);
      row.append(name, strip, state, learnt);
      return { aspect, row, state, learnt, redraw: drawing(canvas, (...area) => this.#draw(aspect, ...area)) };
    });
    this.#body.replaceChildren(...this.#rows.map(({ row }) => row));
  }

  show(decisions) {
    this.#decisions = decisions;
    const newest = decisions.at(-1);
    for (const { aspect, row, state, learnt, redraw } of this.#rows) {
      // Of what is not watched a decision says nothing; old ones tell alerts alone.
      const watched = Object.keys(newest?.reasons ?? {});
      row.hidden = aspect.watched && watched.length > 0 && !watched.includes(aspect.name);
      const level = newest ? levelOf(newest, aspect) : "none";
      const told = tell(newest, aspect, level);
      const shown = `${level} ${told}`;
      if (row.dataset.shown !== shown) {
        row.dataset.shown = shown;
        row.dataset.level = level;
        state.replaceChildren(...(level === "none" ? [] : [levelIcon(level), " "]), told);
      }
      learnt.textContent = percent(learntOf(newest, aspect)) ?? "";
      redraw();
    }
  }

  #draw(aspect, context, width, height) {
    const end = this.#decisions.at(-1)?.timestamp_s ?? 0;
    const x = (time) => width * (1 - (end - time) / SPAN_S);
    // Whole columns, so that no line shows between two stretches.
    const bar = (from, to, tall) => {
      const [left, right] = [Math.floor(x(from)), Math.ceil(x(to))];
      context.fillRect(left, height * (1 - tall), Math.max(right - left, 2), height * tall);
    };
    context.fillStyle = colour("field");
    context.fillRect(0, 0, width, height);
    context.fillStyle = colour("muted");
    // In steps of a fiftieth: the strip is no higher than that.
    for (const [from, to, share] of stretches(this.#decisions, (one) => Math.round(50 * (one.reasons?.[aspect.name]?.share ?? 0)))) {
      if (share) bar(from, to, share / 50);
    }
    for (const [from, to, level] of stretches(this.#decisions, (one) => levelOf(one, aspect))) {
      if (level === "none") continue;
      context.fillStyle = colour(level);
      bar(from, to, TALLNESS[level]);
    }
  }
}

// Of several reasons that stand the loudest comes first.
function levelOf(decision, { reasons }) {
  const level = standing(decision).find((alert) => reasons.includes(alert.reason))?.level ?? "none";
  return LEVELS.includes(level) ? level : "none";
}

// Decisions that tell no aspects tell how much of the activity has been learnt.
function learntOf(decision, { name }) {
  return decision?.reasons?.[name]?.learnt ?? (name === "activity" ? decision?.learnt : null);
}

function tell(decision, { name }, level) {
  const now = decision?.reasons?.[name];
  if (!now) return level === "none" ? "–" : levelWord[level];
  return CALM.includes(now.state) || now.seconds < 0.1 ? now.state : `${now.state} ${now.seconds.toFixed(now.seconds < 10 ? 1 : 0)} s`;
}
