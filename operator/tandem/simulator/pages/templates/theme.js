"use strict";
// Charts are drawn on canvases, which no style sheet reaches: their text and grid follow the page from here.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const INK = ["axis_label_text_color", "major_label_text_color", "title_text_color"];
  const LINES = ["grid_line_color", "major_tick_line_color"];

  function paint(light) {
    const ink = light ? "#4a5261" : "#b6bfcc";
    const line = light ? "#e3e7ed" : "#2c333e";
    for (const doc of Bokeh.documents) {
      for (const root of doc.roots()) {
        for (const model of root.references()) {
          for (const name of INK) if (name in model.properties) model[name] = ink;
          for (const name of LINES) {
            if (name in model.properties && model[name] !== null) model[name] = line;
          }
        }
      }
    }
  }

  const follow = () => paint(!dark.matches);
  const start = () => {
    if (!Bokeh.documents.length) { setTimeout(start, 50); return; }
    follow();
    dark.addEventListener("change", follow);
    addEventListener("beforeprint", () => paint(true));
    addEventListener("afterprint", follow);
  };
  start();
})();
