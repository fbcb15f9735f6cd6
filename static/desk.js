// The list of leads: each control saves itself; what was chosen while an answer was on its way is not lost.
(() => {
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, parameters } = event.detail.requestConfig;
    const changedAgain = elt.matches(".edit-control") && elt.value !== parameters[elt.name];
    if (changedAgain && event.detail.shouldSwap) event.detail.swapOverride = "none"; // its own save follows
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".edit-control:not(select)")) return;
    if (event.target.matches("textarea") && !event.ctrlKey && !event.metaKey) return; // a new line
    event.preventDefault();
    htmx.trigger(event.target, "change");
  });

  // The panels of columns and views: one at a time, closed by Escape and by a click elsewhere.
  const open = () => document.querySelectorAll(".menu-button[open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();
