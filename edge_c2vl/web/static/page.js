// Joins the connection to what is shown. What each message holds stands in docs/page.md.

import { Alerts } from "./alerts.js";
import { Chart } from "./chart.js";
import { Connection } from "./connection.js";
import { Face } from "./face.js";
import { showFacts, showStages } from "./facts.js";
import { headline, inWords, levelWord, percent, standing } from "./levels.js";
import { LastMinute } from "./minute.js";
import { Reasons } from "./reasons.js";
import { Skeleton } from "./skeleton.js";
import { Timeline, clock } from "./timeline.js";

const VERSION = 3;
// A state that is older than this is no longer the driver's state.
const STALE_MS = 3000;

const find = (id) => document.getElementById(id);
const connection = new Connection(new URL("live", location.href.replace(/^http/, "ws")).href);
const skeleton = new Skeleton(find("skeleton"));
const minute = new LastMinute();
const chart = new Chart(find("chart"), find("legend"));
const reasons = new Reasons(find("reason-list"));
const face = new Face(find("face"), find("mesh"), find("face-facts"));
const timeline = new Timeline((message) => connection.send(message));

let hello = null;
let recording = null;
let alerts = null;
let decidedMs = null;
let ended = false;

const STATES = {
  starting: ["Starting", "watching the first seconds"],
  nobody: ["Nobody in view", "no driver in the picture"],
  "cannot see": ["Cannot see", "too little of the driver in the picture"],
  attentive: ["Attentive", ""],
  distracted: ["Distracted", ""],
};

// What is not seen, of decisions that say so.
const MISSING = { picture: "no picture", nobody: "no driver", arms: "no arms in the picture", face: "no face in the picture" };

const handlers = {
  hello(message) {
    const restarted = hello !== null && message.boot !== hello.boot;
    if (message.version !== VERSION) return location.reload();
    hello = message;
    recording = null;
    ended = false;
    decidedMs = null;
    document.body.dataset.mode = message.mode;
    document.title = message.mode === "replay" ? `Replay of ${message.source} · Edge-C2VL` : "Edge-C2VL";
    find("source").textContent = message.mode === "replay" ? message.source : message.camera;
    find("privacy").textContent = message.video ? "Pictures are sent to this page." : "Landmarks only. No picture is sent.";
    timeline.hidden = message.mode !== "replay";
    const live = message.mode === "live";
    const when = live
      ? (alert) => new Date(alert.time).toLocaleTimeString([], { hour12: false })
      : (alert) => clock(alert.timestamp_s - recording.start_s);
    alerts = new Alerts(find("alert-list"), find("alerts-none"), when, live ? null : (time) => timeline.seek(time));
    if (message.layout) skeleton.layout = message.layout;
    chart.setLabels(message.labels, message.distraction);
    reasons.aspects = message.aspects;
    face.contours = message.face;
    find("calibrate").hidden = true;
    find("facts").replaceChildren();
    find("system-title").textContent = live ? "System" : "Recording";
    if (live) showFacts({ Encoder: message.backend, Model: message.bundle });
    showWaiting();
    if (restarted) showBanner("Connected again. The run was started anew.", { passing: true });
    else if (find("banner").dataset.lost) showBanner("Connected again.", { passing: true });
  },
  history(message) {
    minute.set(message.decisions);
    showMinute();
    alerts.set(message.alerts);
    if (message.decisions.length) showDecision(message.decisions.at(-1));
    else showWaiting();
    if (recording && !recording.decisions && message.alerts.length) showAlertAlone(message.alerts.at(-1));
  },
  decision(message) {
    minute.add(message);
    showMinute();
    showDecision(message);
  },
  alert(message) {
    alerts.add(message);
    announce(message);
    if (recording && !recording.decisions) showAlertAlone(message);
    // For whoever measures how far the page is behind: the time from the alert to the frame that shows it.
    requestAnimationFrame(() =>
      performance.mark("alert", { detail: { number: message.number, behind_ms: Date.now() - Date.parse(message.time) } }),
    );
  },
  skeleton(message) {
    showSkeleton(message);
    skeleton.show(message);
  },
  face(message) {
    face.show(message);
  },
  status(message) {
    find("source").textContent = message.camera;
    showFacts({
      Temperature: message.temperature_c === null ? null : `${Math.round(message.temperature_c)} °C`,
      "Frames left out": percent(message.dropped_frames / Math.max(1, message.dropped_frames + message.frames)),
      "Outputs down": message.outputs_down?.length ? message.outputs_down.join(", ") : null,
      "Camera reopened": message.reconnects ? `${message.reconnects} ×` : null,
    });
    showStages(message.stages ?? {});
  },
  recording(message) {
    recording = timeline.recording = message;
    skeleton.layout = message.layout ?? { joints: [], bones: [], min_confidence: 0.5 };
    face.clear();
    chart.setLabels(message.labels, message.distraction);
    const length = message.end_s - message.start_s;
    showFacts({ Name: message.name, Length: clock(length, length < 60), Label: message.label });
    document.body.dataset.skeleton = message.layout ? "yes" : "no";
    document.body.dataset.decisions = message.decisions ? "yes" : "no";
    find("privacy").textContent = "Landmarks only. No picture was kept.";
    showWaiting();
  },
  position(message) {
    timeline.position = message;
  },
  ended() {
    ended = true;
    showSilence();
  },
};

connection.addEventListener("message", ({ detail }) => handlers[detail.kind]?.(detail));
connection.addEventListener("picture", ({ detail }) => {
  showSkeleton(detail.skeleton);
  skeleton.showPicture(detail.skeleton, detail.jpeg);
});

// The driver's state

function showMinute() {
  chart.show(minute.decisions);
  reasons.show(minute.decisions);
}

function showDecision(decision) {
  decidedMs = performance.now();
  const label = decision.label === decision.state ? null : inWords(decision.label);
  const sure = decision.probability === null ? null : `${Math.round(100 * decision.probability)} %`;
  const why = (decision.state === "cannot see" && MISSING[decision.missing]) || STATES[decision.state][1];
  const told = label === null ? (sure === null ? why : `${sure} sure`) : `${label} ${sure}`;
  showState(decision.state, decision.alert, standing(decision), told);
  showAwareness(decision.awareness);
  face.tell(decision.face);
  find("calibrate").hidden = hello.mode !== "live" || !learns(decision);
  const [phrase, share] = Object.entries(decision.words ?? {}).sort((a, b) => b[1] - a[1])[0] ?? [];
  showFacts({ "In words": phrase === undefined || phrase === decision.label ? null : `${phrase} ${percent(share)}` });
  if (hello.mode === "live") {
    showFacts({
      Speed: decision.speed_kmh === null ? "unknown" : `${Math.round(decision.speed_kmh)} km/h`,
      "Unusual for this driver": percent(decision.unusual),
    });
  }
}

const learns = ({ learnt, reasons: watched }) =>
  learnt !== null || Object.values(watched ?? {}).some((one) => one.learnt !== null);

// An alert whose decisions were not kept.
function showAlertAlone(alert) {
  showState(alert.state ?? "label", alert.level, alert.level === "none" ? [] : [alert], inWords(alert.label));
}

// The state in large letters; while alerts stand the loudest one's reason, and below it the state and the other ones.
// more: what else is known.
function showState(state, level, alerts, more) {
  const word = STATES[state]?.[0] ?? "Alert";
  const [loudest, ...others] = alerts.filter(({ reason }) => reason);
  if (!loudest) return showBand(state, level, word, more ?? "");
  const besides = others.map((alert) => `${levelWord[alert.level]}: ${alert.reason}`);
  // A reason that is the state's own name is said once.
  const named = loudest.reason.toLowerCase() === word.toLowerCase() ? null : word;
  showBand(state, level, headline(loudest.reason), [...besides, named, more].filter(Boolean).join(" · "));
}

function showBand(state, level, word, more) {
  const section = find("state");
  section.dataset.state = state;
  section.dataset.level = level;
  section.style.setProperty("--letters", word.length);
  const icon = level === "none" ? ({ label: "label", unknown: "starting" }[state] ?? state.replace(" ", "-")) : level;
  find("state-icon").setAttribute("href", `#icon-${icon}`);
  find("level-word").textContent = level === "none" ? "" : levelWord[level];
  find("state-word").textContent = word;
  find("state-more").textContent = more;
  skeleton.state = state;
}

function showAwareness(awareness) {
  const percent = awareness === null ? null : Math.round(100 * awareness);
  find("awareness-text").textContent = percent === null ? "–" : `${percent} %`;
  find("awareness").setAttribute("aria-valuenow", percent ?? 0);
  find("awareness").firstElementChild.style.width = `${percent ?? 0}%`;
}

function showWaiting() {
  decidedMs = null;
  if (hello?.mode === "live" || recording?.decisions) showBand("starting", "none", "Waiting", "for the first decision");
  else if (recording?.label) showBand("label", "none", recording.label, "the recording's label");
  else showBand("label", "none", "Skeletons", "no decision was kept with them");
  showAwareness(null);
}

function showSkeleton(message) {
  let note = "";
  if (message.view === null) note = "No picture from the camera";
  else if (message.points === null) note = "Nobody in view";
  if (find("stage-note").textContent !== note) find("stage-note").textContent = note;
  if (message.label !== undefined) showBand("label", "none", message.label || "No label", "the recording's label at this moment");
}

// A state that nobody confirms must not go on looking like one.
function showSilence() {
  const silentMs = decidedMs === null ? 0 : performance.now() - decidedMs;
  const lost = document.body.dataset.link !== "open";
  if (hello?.mode !== "live" || (silentMs < STALE_MS && !lost && !ended)) return;
  const since = silentMs < 1000 ? "" : ` for ${Math.round(silentMs / 1000)} s`;
  if (ended) showBand("unknown", "none", "Ended", "the run has ended");
  else showBand("unknown", "none", "No news", `nothing is known of the driver${since}`);
  showAwareness(null);
  skeleton.clear();
  face.clear();
}
setInterval(showSilence, 500);

function announce(alert) {
  if (hello.mode !== "live") return;
  const urgent = alert.level === "warning" || alert.level === "critical";
  const word = alert.level === "none" ? "Alert ended" : levelWord[alert.level];
  const text = [word, alert.reason].filter(Boolean).join(": ");
  find(urgent ? "say-now" : "say").textContent = text;
}

// The connection

let passing = 0;
let counting = 0;

connection.addEventListener("link", ({ detail }) => {
  document.body.dataset.link = detail.link;
  clearInterval(counting);
  if (detail.link === "open") {
    find("link-text").textContent = "Connected";
    find("token-dialog").close();
  } else if (detail.link === "connecting") {
    find("link-text").textContent = "Connecting";
  } else if (detail.link === "waiting") {
    find("link-text").textContent = "Not connected";
    const tell = () => {
      const seconds = Math.max(1, Math.ceil((detail.atMs - performance.now()) / 1000));
      showBanner(`${ended ? "The run has ended" : "Connection lost"}. Trying again in ${seconds} s.`, { lost: true });
    };
    tell();
    counting = setInterval(tell, 1000);
    showSilence();
  } else if (detail.link === "token") {
    find("link-text").textContent = "Needs a token";
    find("token-wrong").hidden = !detail.wrong;
    if (!find("token-dialog").open) find("token-dialog").showModal();
    find("token").select();
  }
});

function showBanner(text, { lost = false, passing: goes = false }) {
  clearTimeout(passing);
  const banner = find("banner");
  banner.hidden = false;
  find("banner-now").hidden = !lost;
  if (lost) banner.dataset.lost = "yes";
  else delete banner.dataset.lost;
  find("banner-text").textContent = text;
  if (goes) passing = setTimeout(() => (banner.hidden = true), 6000);
}

find("banner-now").addEventListener("click", () => connection.tryNow());
find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  connection.use(find("token").value);
});
// Without the token there is nothing to see behind the dialog.
find("token-dialog").addEventListener("close", () => document.body.dataset.link === "token" && find("token-dialog").showModal());

// Calibration

find("calibrate").addEventListener("click", async () => {
  const answer = await connection.post("calibrate").catch(() => null);
  const told = answer?.ok ? "Calibration begins anew." : `Calibration goes on: ${answer ? await answer.text() : "the device does not answer"}`;
  showBanner(told, { passing: true });
  find("say").textContent = told;
});

// The theme

const root = document.documentElement;
const showTheme = () => {
  const text = `Theme: ${root.dataset.themeChoice}`;
  find("theme").querySelector("span").textContent = text;
  find("theme").setAttribute("aria-label", text);
};
find("theme").addEventListener("click", () => {
  const order = ["auto", "light", "dark"];
  localStorage.setItem("theme", order[(order.indexOf(root.dataset.themeChoice) + 1) % order.length]);
  root.dispatchEvent(new Event("themechosen"));
  showTheme();
});
showTheme();

connection.open();
