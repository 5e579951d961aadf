// The decisions of the last minute, which several drawings show.

export const SPAN_S = 60;
// A pause between two decisions that is longer than this is a gap, not a line.
export const GAP_S = 3;

export class LastMinute {
  decisions = [];

  set(decisions) {
    this.decisions = decisions.slice();
    this.#forget();
  }

  add(decision) {
    if (this.decisions.length && decision.timestamp_s < this.decisions.at(-1).timestamp_s) this.decisions = [];
    this.decisions.push(decision);
    this.#forget();
  }

  #forget() {
    const newest = this.decisions.at(-1)?.timestamp_s ?? 0;
    while (this.decisions.length && this.decisions[0].timestamp_s < newest - SPAN_S - 1) this.decisions.shift();
  }
}

// Stretches of decisions of which `what` tells the same: [from, to, that]. They end where the next one begins, or with a
// gap.
export function* stretches(decisions, what) {
  let from = 0;
  for (let index = 1; index <= decisions.length; index++) {
    const [first, last, next] = [decisions[from], decisions[index - 1], decisions[index]];
    if (next && what(next) === what(first) && next.timestamp_s - last.timestamp_s <= GAP_S) continue;
    const end = next ? Math.min(next.timestamp_s, last.timestamp_s + GAP_S) : last.timestamp_s;
    yield [first.timestamp_s, end, what(first)];
    from = index;
  }
}
