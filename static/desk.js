// The list of leads: each control saves itself; what was chosen while an answer was on its way is not lost.
(() => {
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, parameters } = event.detail.requestConfig;
    const changedAgain = elt.matches(".edit-control") && elt.value !== parameters[elt.name];
    if (changedAgain && event.detail.shouldSwap) event.detail.swapOverride = "none"; // its own save follows
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input.edit-control")) return;
    event.preventDefault();
    htmx.trigger(event.target, "change");
  });
})();
