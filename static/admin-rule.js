// On a rule's page, show only the rows that the chosen trigger and action use. Without it all rows stand.
"use strict";
const PARAMS = {
  step_cap: ["percentage", "min", "max"],
  set_price_adjustment: ["value"],
  suppress_contact: ["list"],
  suppress_source: ["list"],
  alert: ["level", "message"],
};
const QUALITY = ["metric", "comparison", "threshold"];

function show(name, wanted) {
  const row = document.querySelector(`.form-row.field-${name}`);
  if (row) row.hidden = !wanted;
}

function update(form) {
  const { action, trigger } = form.elements;
  if (!action || !trigger) return;
  const used = PARAMS[action.value] || [];
  for (const name of new Set(Object.values(PARAMS).flat())) show(`param_${name}`, used.includes(name));
  for (const name of QUALITY) show(name, trigger.value === "quality");
  show("outcome", trigger.value === "feedback");
}

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("rule_form");
  if (!form) return;
  form.addEventListener("change", () => update(form));
  update(form);
});
