// On a rule's page, show only the rows that the chosen trigger and action use. Without it all rows stand.
"use strict";
const PARAMS = {
  step_cap: ["percentage", "min", "max"],
  set_price_adjustment: ["value"],
  suppress_contact: ["list", "expires_days"],
  suppress_source: ["list", "expires_days"],
  bonus: ["amount"],
  alert: ["level", "message"],
};
const QUALITY = ["metric", "comparison", "threshold", "scope", "evidence", "window_days", "maturity_days",
  "min_count", "on_clear"];

function show(name, wanted) {
  const row = document.querySelector(`.form-row.field-${name}`);
  if (row) row.hidden = !wanted;
}

function update(form) {
  const { action, trigger, scope, on_clear: onClear } = form.elements;
  if (!action || !trigger) return;
  const used = PARAMS[action.value] || [];
  const quality = trigger.value === "quality";
  for (const name of new Set(Object.values(PARAMS).flat())) show(`param_${name}`, used.includes(name));
  for (const name of QUALITY) show(name, quality);
  show("outcome", !quality);
  show("equal_buyers", quality && scope.value === "source");
  show("hysteresis", quality && onClear.value === "reverse");
}

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("rule_form");
  if (!form) return;
  form.addEventListener("change", () => update(form));
  update(form);
});
