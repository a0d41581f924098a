"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");

function colours(isDark) {
  return isDark ? { text: "#e3e7ed", line: "#363e4a" } : { text: "#1c2430", line: "#d9dde3" };
}

/* The same changes for a new figure and for one that is there: a zoom outlives them. */
function changes(layout, isDark) {
  const { text, line } = colours(isDark);
  const found = { "font.color": text };
  for (const axis of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
    for (const part of ["gridcolor", "zerolinecolor", "linecolor"]) found[`${axis}.${part}`] = line;
    found[`${axis}.title.standoff`] = 10; /* clear of the numbers, which have margins of their own */
  }
  return found;
}

function draw(box) {
  const { data, layout } = JSON.parse(box.nextElementSibling.textContent);
  const fixed = layout.width;
  if (fixed) { /* keeps its proportions on a narrow screen */
    layout.width = Math.min(fixed, box.clientWidth);
    layout.height = Math.round((layout.height * layout.width) / fixed);
    box.style.minHeight = "0";
  }
  layout.font = { family: "system-ui, sans-serif", size: 12 };
  const options = { displaylogo: false, responsive: !fixed, toImageButtonOptions: { format: "svg" } };
  return Plotly.newPlot(box, data, layout, options).then(() => Plotly.relayout(box, changes(layout, dark.matches)));
}

const boxes = [...document.querySelectorAll(".chart")];
const repaint = (isDark) => boxes.forEach((box) => box.layout && Plotly.relayout(box, changes(box.layout, isDark)));
boxes.forEach(draw);
dark.addEventListener("change", () => repaint(dark.matches));
addEventListener("beforeprint", () => repaint(false));
addEventListener("afterprint", () => repaint(dark.matches));
