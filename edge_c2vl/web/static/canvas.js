// What the drawings share: colours from the style sheet, and a canvas as sharp as the screen.

const root = document.documentElement;
let colours = null;

root.addEventListener("themechange", () => (colours = null));

// The value of a CSS variable, such as colour("ink").
export function colour(name) {
  colours ??= getComputedStyle(root);
  return colours.getPropertyValue(`--${name}`).trim();
}

const STATE_COLOURS = {
  attentive: "green",
  distracted: "vermillion",
  "cannot see": "orange",
  nobody: "orange",
  starting: "grey",
};

export const stateColour = (state) => colour(STATE_COLOURS[state] ?? "blue");

// A canvas that follows its size on the page; `draw(context, width, height)` works in CSS pixels. Call `redraw` when
// something has changed; drawing is done once a frame.
export function drawing(canvas, draw) {
  const context = canvas.getContext("2d");
  let asked = 0;
  const paint = () => {
    asked = 0;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (!columns || !rows) return;
    if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  };
  const redraw = () => (asked ||= requestAnimationFrame(paint));
  new ResizeObserver(redraw).observe(canvas);
  root.addEventListener("themechange", redraw);
  return redraw;
}
