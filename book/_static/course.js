// Boxes that scroll sideways can be reached and scrolled with the keyboard.
(() => {
  const boxes = ".bd-article :is(pre, div.math, .cell_output, .pst-scrollable-table-container)";

  const update = () => {
    document.querySelectorAll(".bd-article mjx-container:not([display])").forEach((formula) => {
      formula.classList.remove("course-wide");
      const line = formula.closest("p, li, dd, td, figcaption") || formula.parentElement;
      formula.classList.toggle("course-wide", formula.scrollWidth > line.clientWidth);
    });
    document.querySelectorAll(boxes).forEach((box) => {
      if (box.scrollWidth > box.clientWidth + 1) {
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", "Wide content, scrolls sideways");
      } else if (box.getAttribute("role") === "region") {
        box.removeAttribute("tabindex");
        box.removeAttribute("role");
        box.removeAttribute("aria-label");
      }
    });
  };

  const start = () => {
    // MathJax changes widths when it is done; it is there only on pages with formulas.
    (window.MathJax?.startup?.promise || Promise.resolve()).then(update);
    window.addEventListener("resize", update);
  };
  window.addEventListener("load", start);
})();
