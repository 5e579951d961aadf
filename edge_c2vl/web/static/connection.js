// One WebSocket to the server, opened again and again for as long as the page is open.

const NEEDS_TOKEN = 4401;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15000;
// The server sends a sign of life every two seconds. A network that vanished closes nothing, it falls silent.
const SILENCE_MS = 7000;

export class Connection extends EventTarget {
  // Events: "message" (detail: object), "picture" (detail: {skeleton, jpeg}), "link" (detail: {link, ...}), where link is
  // "connecting", "open", "waiting" (with atMs, when the next attempt is made) or "token" (with wrong).
  #url;
  #socket = null;
  #delayMs = FIRST_DELAY_MS;
  #timer = 0;
  #heardMs = 0;

  constructor(url) {
    super();
    this.#url = url;
    const asked = new URL(location.href);
    if (asked.searchParams.has("token")) {
      // Out of the address bar, so that it is neither bookmarked, shared nor kept in the history.
      this.#token = asked.searchParams.get("token");
      asked.searchParams.delete("token");
      history.replaceState(null, "", asked);
    }
    setInterval(() => {
      if (this.#socket?.readyState === WebSocket.OPEN && performance.now() - this.#heardMs > SILENCE_MS) {
        this.#lost(this.#socket);
      }
    }, 1000);
    addEventListener("online", () => this.tryNow());
    addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.tryNow());
  }

  get #token() {
    return sessionStorage.getItem("token");
  }

  set #token(value) {
    sessionStorage.setItem("token", value);
  }

  open() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#tell("link", { link: "connecting" });
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.binaryType = "arraybuffer";
    this.#heardMs = performance.now();
    socket.onopen = () => socket.send(JSON.stringify({ kind: "open", token: this.#token }));
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#heardMs = performance.now();
      if (typeof event.data === "string") {
        const message = JSON.parse(event.data);
        if (message.kind === "hello") {
          this.#delayMs = FIRST_DELAY_MS;
          this.#tell("link", { link: "open" });
        }
        this.#tell("message", message);
      } else {
        this.#tell("picture", split(event.data));
      }
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      if (event.code === NEEDS_TOKEN) {
        this.#socket = null;
        this.#tell("link", { link: "token", wrong: this.#token !== null });
        sessionStorage.removeItem("token");
      } else {
        this.#lost(socket);
      }
    };
  }

  use(token) {
    this.#token = token;
    this.open();
  }

  // The next attempt at once, where one is waited for.
  tryNow() {
    if (this.#timer) this.open();
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  // Asks the server to do something; the answer is fetch's.
  post(path) {
    const headers = this.#token === null ? {} : { Authorization: `Bearer ${this.#token}` };
    return fetch(path, { method: "POST", headers });
  }

  #lost(socket) {
    this.#socket = null;
    socket.close();
    // Spread, so that many pages do not come back in the same instant.
    const waitMs = this.#delayMs * (0.8 + 0.4 * Math.random());
    this.#delayMs = Math.min(2 * this.#delayMs, LONGEST_DELAY_MS);
    this.#timer = setTimeout(() => this.open(), waitMs);
    this.#tell("link", { link: "waiting", atMs: performance.now() + waitMs });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

// A picture's message: length of the JSON (uint32), the JSON of the skeleton, the JPEG.
function split(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(buffer, 4, length));
  return { skeleton: JSON.parse(text), jpeg: new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" }) };
}
