// The driver's skeleton, and the camera's picture behind it where pictures are sent.

import { colour, drawing, stateColour } from "./canvas.js";

export class Skeleton {
  #layout = { joints: [], bones: [], min_confidence: 0.5 };
  #seen = { view: null, points: null };
  #picture = null;
  #decoding = false;
  #state = "starting";
  #canvas;
  #redraw;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#redraw = drawing(canvas, (context, width, height) => this.#draw(context, width, height));
  }

  set layout(layout) {
    const face = new Set();
    layout.joints.forEach((name, index) => /eye|ear|mouth|nose/.test(name) && face.add(index));
    const hands = layout.joints.flatMap((name, index) => (/wrist/.test(name) ? [index] : []));
    const [head, neck] = ["head", "neck"].map((name) => layout.joints.indexOf(name));
    this.#layout = { ...layout, face, hands, head, neck };
    this.clear();
  }

  set state(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#redraw();
  }

  clear() {
    this.#picture?.close();
    this.#picture = null;
    this.#seen = { view: null, points: null };
    this.#redraw();
  }

  show(seen) {
    this.#seen = seen;
    this.#redraw();
  }

  // A picture with its skeleton. While one is being decoded the next ones are left out.
  async showPicture(seen, jpeg) {
    if (this.#decoding) return;
    this.#decoding = true;
    try {
      const picture = await createImageBitmap(jpeg);
      this.#picture?.close();
      this.#picture = picture;
      this.show(seen);
    } finally {
      this.#decoding = false;
    }
  }

  #draw(context, width, height) {
    const { view, points } = this.#seen;
    if (!view) return;
    const [left, top, viewWidth, viewHeight] = view;
    this.#canvas.style.aspectRatio = `${viewWidth} / ${viewHeight}`;
    const scale = Math.min(width / viewWidth, height / viewHeight);
    const [x0, y0] = [(width - scale * viewWidth) / 2, (height - scale * viewHeight) / 2];
    context.save();
    context.beginPath();
    context.roundRect(x0, y0, scale * viewWidth, scale * viewHeight, 10);
    context.fillStyle = colour("field");
    context.fill();
    context.clip();
    if (this.#picture) context.drawImage(this.#picture, x0, y0, scale * viewWidth, scale * viewHeight);
    if (points) {
      const at = (joint) => [x0 + scale * (points[3 * joint] - left), y0 + scale * (points[3 * joint + 1] - top)];
      this.#drawBones(context, points, at, Math.min(scale * viewWidth, scale * viewHeight));
    }
    context.restore();
  }

  #drawBones(context, points, at, size) {
    const { bones, face, hands, head, neck, min_confidence: least, joints } = this.#layout;
    const seen = (joint) => points[3 * joint + 2] >= least;
    const thick = Math.max(2.5, size / 75);
    context.lineCap = context.lineJoin = "round";
    const lines = (chosen, width, style) => {
      context.beginPath();
      for (const [a, b] of bones) {
        if (!chosen(a, b) || !seen(a) || !seen(b)) continue;
        context.moveTo(...at(a));
        context.lineTo(...at(b));
      }
      context.lineWidth = width;
      context.strokeStyle = style;
      context.stroke();
    };
    const inFace = (a, b) => face.has(a) && face.has(b);
    const inBody = (a, b) => !inFace(a, b);
    // A rim in the background's colour keeps limbs apart where they cross, and readable over a picture.
    lines(inBody, thick + 4, colour("field"));
    lines(inBody, thick, stateColour(this.#state));
    lines(inFace, thick / 3, stateColour(this.#state));
    if (face.size && !this.#picture) this.#drawHead(context, [...face].filter(seen).map(at), thick / 2);
    if (head >= 0 && neck >= 0 && seen(head) && seen(neck)) this.#drawHeadOf(context, at(head), at(neck), thick / 2);
    const dots = (chosen, radius) => {
      context.beginPath();
      for (const joint of chosen) {
        if (!seen(joint)) continue;
        const [x, y] = at(joint);
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 7);
      }
      context.fill();
    };
    context.fillStyle = colour("ink");
    dots([...joints.keys()].filter((joint) => !face.has(joint)), thick * 0.55);
    // What a driver does is read off the hands.
    dots(hands, thick * 1.25);
  }

  // A round around the landmarks of the face, which alone do not look like a head.
  #drawHead(context, face, thick) {
    if (face.length < 4) return;
    const [x, y] = [0, 1].map((axis) => face.reduce((sum, point) => sum + point[axis], 0) / face.length);
    const radius = Math.max(...face.map((point) => Math.hypot(point[0] - x, point[1] - y)));
    context.beginPath();
    context.ellipse(x, y - 0.15 * radius, 1.1 * radius, 1.4 * radius, 0, 0, 7);
    context.lineWidth = thick;
    context.stroke();
  }

  // A layout without a face has one joint for the head.
  #drawHeadOf(context, [x, y], [neckX, neckY], thick) {
    context.beginPath();
    context.arc(x, y, 0.55 * Math.hypot(x - neckX, y - neckY), 0, 7);
    context.fillStyle = colour("field");
    context.fill();
    context.lineWidth = thick;
    context.stroke();
  }
}
