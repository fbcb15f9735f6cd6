// The list of returns: how many are ticked, all of a page at once, and no decision on none.
(() => {
  const ticks = () => [...document.querySelectorAll(".return-tick")];

  function show() {
    const form = document.getElementById("decide-form");
    if (!form) return;
    const all = ticks();
    const count = all.filter((tick) => tick.checked).length;
    const whole = document.getElementById("tick-page");
    whole.closest("label").hidden = false;
    whole.checked = count > 0 && count === all.length;
    whole.indeterminate = count > 0 && count < all.length;
    const said = count === 1 ? "1 return ticked" : `${count} returns ticked`;
    const output = document.getElementById("ticked");
    const text = count ? said : "Tick returns to decide on several";
    if (output.textContent !== text) output.textContent = text;
    for (const button of form.querySelectorAll("[type=submit]")) button.disabled = !count;
  }

  document.addEventListener("change", (event) => {
    if (event.target.id === "tick-page") for (const tick of ticks()) tick.checked = event.target.checked;
    if (event.target.matches("#tick-page, .return-tick")) show();
  });
  document.addEventListener("htmx:afterSettle", show);
  window.addEventListener("pageshow", show); // Back brings the ticks as they were left
  show();
})();
