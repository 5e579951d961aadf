// Class probabilities over the last minute, with a strip of states below.

import { colour, drawing, stateColour } from "./canvas.js";
import { inWords } from "./levels.js";
import { GAP_S, SPAN_S, stretches } from "./minute.js";

// More lines than these cannot be told apart; of many classes those are drawn that mattered most in this minute.
const MOST = 5;
const DASHES = [[], [7, 5], [2, 4]];
const looks = (colours) => DASHES.flatMap((dash) => colours.map((name) => ({ colour: name, dash })));
const CALM = looks(["green", "blue", "sky"]);
const DISTRACTING = looks(["vermillion", "purple", "orange"]);

export class Chart {
  #decisions = [];
  #labels = [];
  #distraction = new Set();
  #styles = new Map();
  #shown = [];
  #legend;
  #redraw;

  constructor(canvas, legend) {
    this.#legend = legend;
    this.#redraw = drawing(canvas, (context, width, height) => this.#draw(context, width, height));
    document.documentElement.addEventListener("themechange", () => this.#tell());
  }

  // labels: all classes; distraction: those that count as distraction.
  setLabels(labels, distraction) {
    this.#labels = labels;
    this.#distraction = new Set(distraction);
    this.#styles.clear(); // another bundle may take the same label for something else
    this.show([]);
  }

  // decisions: of the last minute.
  show(decisions) {
    this.#decisions = decisions;
    const peaks = new Map();
    for (const { probabilities } of this.#decisions) {
      for (const [label, p] of Object.entries(probabilities ?? {})) peaks.set(label, Math.max(p, peaks.get(label) ?? 0));
    }
    const labels = this.#labels.filter((label) => peaks.has(label));
    const most = new Set([...labels].sort((a, b) => peaks.get(b) - peaks.get(a)).slice(0, MOST));
    this.#shown = labels.length ? labels.filter((label) => most.has(label)) : this.#labels.slice(0, MOST);
    this.#dress();
    this.#tell();
    this.#redraw();
  }

  // No two of the labels that are shown look alike; a label keeps its looks for as long as it is shown.
  #dress() {
    const styles = new Map(this.#shown.map((label) => [label, this.#styles.get(label)]));
    const taken = new Set(styles.values());
    for (const label of this.#shown) {
      if (styles.get(label)) continue;
      const style = (this.#distraction.has(label) ? DISTRACTING : CALM).find((one) => !taken.has(one));
      taken.add(style);
      styles.set(label, style);
    }
    this.#styles = styles;
  }

  #tell() {
    const now = this.#decisions.at(-1)?.probabilities;
    const rows = this.#shown.map((label) => {
      const row = document.createElement("li");
      const swatch = document.createElement("span");
      const style = this.#styles.get(label);
      swatch.className = "swatch";
      swatch.style.borderTop = `3px ${["solid", "dashed", "dotted"][DASHES.indexOf(style.dash)]} ${colour(style.colour)}`;
      const name = document.createElement("span");
      name.textContent = inWords(label);
      const value = document.createElement("span");
      value.className = "value";
      value.textContent = now ? `${Math.round(100 * (now[label] ?? 0))} %` : "–";
      row.append(swatch, name, value);
      return row;
    });
    this.#legend.replaceChildren(...rows);
  }

  #draw(context, width, height) {
    const [left, right, top, bottom] = [34, 8, 8, 34];
    const [plotWidth, plotHeight] = [width - left - right, height - top - bottom];
    const end = this.#decisions.at(-1)?.timestamp_s ?? 0;
    const x = (time) => left + plotWidth * (1 - (end - time) / SPAN_S);
    const y = (p) => top + plotHeight * (1 - p);
    context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    context.fillStyle = colour("muted");
    context.strokeStyle = colour("line");
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const p of [0, 0.5, 1]) {
      context.beginPath();
      context.moveTo(left, Math.round(y(p)) + 0.5);
      context.lineTo(width - right, Math.round(y(p)) + 0.5);
      context.stroke();
      context.fillText(`${100 * p}`, left - 7, y(p));
    }
    context.textBaseline = "alphabetic";
    for (const [text, time, align] of [["−60 s", end - 60, "left"], ["−30 s", end - 30, "center"], ["now", end, "right"]]) {
      context.textAlign = align;
      context.fillText(text, x(time), height - 3);
    }
    context.save();
    context.beginPath();
    context.rect(left, 0, plotWidth + 1, height);
    context.clip();
    this.#drawStrip(context, x, top + plotHeight + 6);
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    for (const label of [...this.#shown].reverse()) this.#drawLine(context, label, x, y);
    context.restore();
  }

  #drawLine(context, label, x, y) {
    const style = this.#styles.get(label);
    context.strokeStyle = colour(style.colour);
    context.setLineDash(style.dash);
    context.beginPath();
    let before = null;
    for (const { timestamp_s: time, probabilities } of this.#decisions) {
      const p = probabilities?.[label];
      if (p === undefined) {
        before = null;
        continue;
      }
      if (before === null || time - before > GAP_S) context.moveTo(x(time), y(p));
      context.lineTo(x(time), y(p));
      before = time;
    }
    context.stroke();
    context.setLineDash([]);
  }

  #drawStrip(context, x, y) {
    for (const [from, to, state] of stretches(this.#decisions, (decision) => decision.state)) {
      context.fillStyle = stateColour(state);
      context.fillRect(x(from), y, x(to) - x(from), 6);
    }
  }
}
