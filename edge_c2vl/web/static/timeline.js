// The time line of a replay: position, play and pause, speed, states and alerts as marks, and the choice of a recording.

import { colour, drawing, stateColour } from "./canvas.js";

const TALLNESS = { notice: 0.5, warning: 0.75, critical: 1 };

const find = (id) => document.getElementById(id);

// 1:02:03, 2:03, or with `tenths` 2:03.4.
export const clock = (seconds, tenths = false) => {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, String(whole % 60).padStart(2, "0")];
  const tenth = tenths ? `.${Math.floor(10 * (Math.max(0, seconds) - whole) + 1e-6)}` : "";
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}${tenth}` : `${m}:${s}${tenth}`;
};

// Recordings that are shorter than this are told in tenths of a second.
const SHORT_S = 60;
// After the thumb was moved, positions that the server tells are older than what was asked for.
const SETTLE_MS = 400;

export class Timeline {
  #send;
  #recording = { start_s: 0, end_s: 1, spans: [], marks: [], index: 0, count: 1 };
  #playing = false;
  #scrubbedMs = -Infinity;
  #sent = 0;
  #redraw;

  constructor(send) {
    this.#send = send;
    this.#redraw = drawing(find("strip"), (context, width, height) => this.#draw(context, width, height));
    const position = find("position");
    position.addEventListener("input", () => {
      this.#scrubbedMs = performance.now();
      this.#showTime(Number(position.value));
      // While the thumb is dragged, twenty positions a second are enough; the last one always counts.
      this.#sent ||= setTimeout(() => {
        this.#sent = 0;
        this.seek(this.#recording.start_s + Number(position.value));
      }, 50);
    });
    find("play").addEventListener("click", () => this.toggle());
    find("speed").addEventListener("change", (event) => send({ kind: "speed", value: Number(event.target.value) }));
    find("previous").addEventListener("click", () => this.choose(this.#recording.index - 1));
    find("next").addEventListener("click", () => this.choose(this.#recording.index + 1));
    find("recording").addEventListener("change", (event) => this.choose(Number(event.target.value) - 1));
    addEventListener("keydown", (event) => {
      const free = !event.target.closest("button, input, select, dialog");
      if (event.key === " " && free && !find("timeline").hidden) {
        event.preventDefault();
        this.toggle();
      }
    });
  }

  toggle() {
    this.#send({ kind: this.#playing ? "pause" : "play" });
  }

  seek(time_s) {
    this.#send({ kind: "seek", value: time_s });
  }

  choose(index) {
    const within = Math.min(Math.max(0, index), this.#recording.count - 1);
    find("recording").value = within + 1;
    if (within !== this.#recording.index) this.#send({ kind: "recording", value: within });
  }

  // The time line goes away where the page turns out to show a live run.
  set hidden(hidden) {
    find("timeline").hidden = hidden;
  }

  set recording(recording) {
    this.#recording = recording;
    const length = Math.max(0.05, recording.end_s - recording.start_s);
    find("position").max = length;
    this.#scrubbedMs = -Infinity;
    find("clock-all").textContent = this.#clock(length);
    find("recording-name").textContent = recording.name;
    find("chooser").hidden = recording.count < 2;
    find("recording").max = recording.count;
    find("recording").value = recording.index + 1;
    find("recording-count").textContent = `of ${recording.count.toLocaleString("en")}`;
    find("previous").disabled = recording.index === 0;
    find("next").disabled = recording.index === recording.count - 1;
    this.#redraw();
  }

  set position({ time_s, playing, speed }) {
    this.#playing = playing;
    find("play").textContent = playing ? "Pause" : "Play";
    if (Number(find("speed").value) !== speed) find("speed").value = String(speed);
    if (performance.now() - this.#scrubbedMs < SETTLE_MS) return;
    find("position").value = time_s - this.#recording.start_s;
    this.#showTime(time_s - this.#recording.start_s);
  }

  #showTime(seconds) {
    find("clock-now").textContent = this.#clock(seconds);
    find("position").setAttribute("aria-valuetext", `${this.#clock(seconds)} of ${find("clock-all").textContent}`);
  }

  #clock(seconds) {
    return clock(seconds, this.#recording.end_s - this.#recording.start_s < SHORT_S);
  }

  #draw(context, width, height) {
    const { start_s, end_s, spans, marks } = this.#recording;
    // The thumb's middle moves between these two ends.
    const thumb = 18;
    const x = (time) => thumb / 2 + (width - thumb) * ((time - start_s) / Math.max(1e-3, end_s - start_s));
    const strip = 7;
    for (const [from, to, state] of spans) {
      context.fillStyle = stateColour(state);
      context.fillRect(x(from), height - strip, Math.max(1, x(to) - x(from)), strip);
    }
    for (const [time, level] of marks) {
      const size = TALLNESS[level] * (height - strip - 3);
      context.fillStyle = colour("ink");
      context.beginPath();
      context.moveTo(x(time), height - strip - 2);
      context.lineTo(x(time) - size / 2.2, height - strip - 2 - size);
      context.lineTo(x(time) + size / 2.2, height - strip - 2 - size);
      context.fill();
    }
  }
}
