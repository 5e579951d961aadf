// What is known of the system and of its latency.

const STAGES = {
  capture: "Frame wait",
  pose: "Pose",
  window: "Window",
  encoder: "Encoder",
  policy: "Policy",
  "frame age": "Camera to decision",
};

const find = (id) => document.getElementById(id);

export function showFacts(facts) {
  const list = find("facts");
  for (const [name, value] of Object.entries(facts)) {
    let row = [...list.children].find((candidate) => candidate.dataset.name === name);
    if (value === null || value === undefined || value === "") {
      row?.remove();
      continue;
    }
    if (!row) {
      row = document.createElement("div");
      row.dataset.name = name;
      row.append(document.createElement("dt"), document.createElement("dd"));
      row.firstChild.textContent = name;
      list.append(row);
    }
    if (row.lastChild.textContent !== value) row.lastChild.textContent = value;
  }
}

export function showStages(stages) {
  const rows = Object.keys(STAGES)
    .filter((stage) => stages[stage])
    .map((stage) => {
      const row = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = STAGES[stage];
      row.append(name);
      for (const duration of stages[stage]) {
        const cell = document.createElement("td");
        cell.textContent = duration < 10 ? duration.toFixed(1) : duration.toFixed(0);
        row.append(cell);
      }
      return row;
    });
  find("stages").replaceChildren(...rows);
}
