// The driver's face, small beside the skeleton: landmarks, eyes, and where they look; and what was made of it.

import { colour, drawing } from "./canvas.js";
import { percent } from "./levels.js";

// Below it an eye says nothing.
const BELIEVED = 0.5;
const GAZE_LENGTH = 0.22;

export class Face {
  #section;
  #facts;
  #contours = { rings: [], lines: [], irises: [] };
  #seen = null;
  #redraw;

  constructor(section, canvas, facts) {
    this.#section = section;
    this.#facts = facts;
    this.#redraw = drawing(canvas, (context, width, height) => this.#draw(context, width, height));
  }

  set contours(contours) {
    this.#contours = contours ?? { rings: [], lines: [], irises: [] };
    this.clear();
  }

  clear() {
    this.#section.hidden = true;
    this.#seen = null;
    this.#redraw();
  }

  show(seen) {
    this.#section.hidden = false;
    this.#seen = seen.points ? seen : null;
    this.#redraw();
  }

  // What a decision says of it; null where no face was looked at.
  tell(face) {
    if (!face) return;
    this.#section.hidden = false;
    const eyes = face.closed_s > 0 ? `closed ${face.closed_s.toFixed(1)} s` : face.openness === null ? "not seen" : `${percent(Math.min(face.openness, 1))} open`;
    const told = {
      Eyes: face.seen ? eyes : "no face",
      Gaze: direction(face.gaze),
      Head: direction(face.head),
      "Closed, 1 min": percent(face.perclos) ?? "–",
      "Blinks, 1 min": String(face.blinks_a_minute),
      "Yawns, 5 min": String(face.yawns),
    };
    const rows = Object.entries(told).map(([name, value]) => {
      const row = document.createElement("div");
      for (const [kind, text] of [["dt", name], ["dd", value]]) row.append(Object.assign(document.createElement(kind), { textContent: text }));
      return row;
    });
    this.#facts.replaceChildren(...rows);
  }

  #draw(context, width, height) {
    context.fillStyle = colour("field");
    context.beginPath();
    context.roundRect(0, 0, width, height, 10);
    context.fill();
    context.strokeStyle = context.fillStyle = colour("ink");
    if (!this.#seen) return this.#drawNone(context, width, height);
    const { points, eyes } = this.#seen;
    const xs = points.filter((_, index) => index % 2 === 0);
    const ys = points.filter((_, index) => index % 2 === 1);
    const scale = 0.84 * Math.min(width / Math.max(...xs, 1), height / Math.max(...ys, 1));
    const [x0, y0] = [(width - scale * Math.max(...xs)) / 2, (height - scale * Math.max(...ys)) / 2];
    const at = (index) => [x0 + scale * points[2 * index], y0 + scale * points[2 * index + 1]];
    context.globalAlpha = 0.4;
    for (let index = 0; index < points.length / 2; index++) context.fillRect(...at(index), 1, 1);
    context.globalAlpha = 1;
    context.lineWidth = 1.25;
    context.lineJoin = "round";
    for (const ring of this.#contours.rings) this.#stroke(context, ring.map(at), true);
    for (const line of this.#contours.lines) this.#stroke(context, line.map(at), false);
    this.#contours.irises.forEach((iris, index) => this.#drawEye(context, iris.map(at), eyes[index], GAZE_LENGTH * height));
  }

  // A filled iris with a line to where it looks; a ring where the eye cannot be believed.
  #drawEye(context, [[x, y], ...around], [believed, right, down], length) {
    const radius = Math.max(...around.map(([a, b]) => Math.hypot(a - x, b - y)), 1.5);
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.strokeStyle = context.fillStyle = colour(believed >= BELIEVED ? "blue" : "grey");
    context.lineWidth = 1.25;
    if (believed < BELIEVED) return context.stroke();
    context.fill();
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + length * right, y + length * down);
    context.lineWidth = 3;
    context.stroke();
  }

  #stroke(context, line, closed) {
    context.beginPath();
    line.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (closed) context.closePath();
    context.stroke();
  }

  #drawNone(context, width, height) {
    context.fillStyle = colour("muted");
    context.font = `14px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = "center";
    // A recording has what was made of the face, not its landmarks.
    context.fillText(this.#contours.rings.length ? "No face" : "Not recorded", width / 2, height / 2);
  }
}

function direction(angles) {
  if (!angles) return "–";
  const [left, up] = angles.map(Math.round);
  const sides = [[left, "left", "right"], [up, "up", "down"]].filter(([degrees]) => Math.abs(degrees) >= 3);
  return sides.map(([degrees, more, less]) => `${Math.abs(degrees)}° ${degrees > 0 ? more : less}`).join(", ") || "ahead";
}
