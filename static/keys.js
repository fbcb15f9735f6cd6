// Single keys. They do nothing while something is typed, a dialog or menu is open, a modifier is held, or the
// person has switched them off (WCAG 2.1.4).
(() => {
  const TYPED = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), select, textarea, [contenteditable]";
  const OPEN = "dialog[open], :popover-open, details.menu-button[open]";
  const PLACES = { l: "/leads/", u: "/uploads/", s: "/numbers/", r: "/returns/", h: "/history/", d: "/developers/", t: "/team/" };
  const WAITS = 1500; // milliseconds, for the second key of two
  let current = ""; // the id of the row that keys speak of
  let place = 0; // where it stood, if it is gone
  let wentAt = 0;

  const $ = (query) => document.querySelector(query);
  const rows = () => [...document.querySelectorAll("tbody tr[data-lead]")];
  const row = () => document.getElementById(current) ?? rows()[Math.min(place, rows().length - 1)] ?? null;
  const announce = (text) => document.dispatchEvent(new CustomEvent("announce", { detail: text }));
  const off = () => document.documentElement.dataset.keys === "off";

  // --- The row that keys speak of ---
  function mark(next) {
    rows().forEach((each) => {
      each.classList.toggle("is-current", each === next);
      each.tabIndex = each === next ? 0 : -1;
    });
    if (!next) return;
    current = next.id;
    place = rows().indexOf(next);
  }

  function words(of) {
    const name = of.querySelector("th .cell-main, th a")?.textContent.trim() ?? "";
    const outcome = of.querySelector("[id^='outcome-'] select, [id^='converted-'] select")?.selectedOptions[0]?.text;
    const ticked = of.querySelector(".row-select")?.checked ? "selected" : "";
    return [name, outcome, ticked, `${rows().indexOf(of) + 1} of ${rows().length}`].filter(Boolean).join(", ");
  }

  function goTo(next) {
    if (!next) return;
    mark(next);
    next.focus();
    announce(words(next));
  }

  function step(by) {
    const here = row();
    if (!here) return null;
    if (!here.contains(document.activeElement)) {
      goTo(here); // the first time to the row that is marked
      return here;
    }
    const next = rows()[rows().indexOf(here) + by];
    if (next) goTo(next);
    else announce(by > 0 ? "The last row of this page." : "The first row of this page.");
    return next;
  }

  // --- What keys do ---
  const isOn = (box) => box && !box.checked && box.click();
  function stretch(by) {
    isOn(row()?.querySelector(".row-select"));
    const next = step(by);
    isOn(next?.querySelector(".row-select"));
  }

  function tick(event) {
    const box = row()?.querySelector(".row-select");
    if (!box) return;
    const click = { bubbles: true, cancelable: true, shiftKey: event.shiftKey };
    box.dispatchEvent(new MouseEvent("click", click));
    row().focus();
  }

  function setOutcome(number) {
    const button = $(`#bulk-form [data-key="${number}"]`);
    if (!button) return;
    if ($("#bulk-form.is-open")) {
      button.click();
      return;
    }
    const here = row();
    const select = here?.querySelector("[id^='outcome-'] select");
    if (!here) return;
    if (!select) return announce("This lead has no outcome to set.");
    if (select.disabled) return announce(`Not set. ${select.title}`);
    if (select.value === button.value) announce(`${words(here)}: it is set already.`);
    else {
      select.value = button.value;
      document.dispatchEvent(new CustomEvent("choose", { detail: { id: select.id, value: button.value } }));
    }
    const next = rows()[rows().indexOf(here) + 1];
    if (next) goTo(next);
    else {
      here.focus();
      announce("The last row of this page.");
    }
  }

  function edit() {
    const control = row()?.querySelector(".edit-control:enabled");
    if (control) control.focus();
    else announce("Nothing can be set on this lead.");
  }

  function open() {
    const here = document.activeElement;
    if (here === document.body || here === row()) row()?.querySelector("th a")?.click();
    else return false; // a link or a button does what it does
  }

  function undo() {
    if ($("#bulk-form")) document.dispatchEvent(new CustomEvent("undo-last"));
    else $(".messages .undo-form button")?.click();
  }

  function views() {
    const tabs = $("#lead-tabs [aria-current]") ?? $("#lead-tabs a");
    tabs?.focus();
  }

  async function help() {
    let dialog = $("#keys-help");
    if (!dialog) {
      const answer = await fetch("/keyboard/", { headers: { "HX-Request": "true" } }).catch(() => null);
      if (!answer?.ok || answer.redirected) return location.assign("/keyboard/");
      dialog = Object.assign(document.createElement("dialog"), { id: "keys-help", className: "keys-help" });
      dialog.setAttribute("aria-labelledby", "keys-title");
      dialog.innerHTML = await answer.text();
      document.body.append(dialog);
      htmx.process(dialog);
    }
    if (!dialog.open) dialog.showModal();
  }

  const KEYS = {
    "/": () => $("#filters input[type=search]")?.focus(),
    f: () => $("#filters .chips :is(select, input:not([type=hidden]))")?.focus(),
    j: () => step(1),
    k: () => step(-1),
    J: () => stretch(1),
    K: () => stretch(-1),
    x: tick,
    X: tick,
    e: edit,
    Enter: open,
    u: undo,
    v: views,
    g: () => void (wentAt = Date.now()),
    "?": help,
    Escape: () => document.dispatchEvent(new CustomEvent("clear-selection")),
  };
  const REPEATS = ["j", "k", "J", "K"];

  function go(key) {
    const link = PLACES[key] && $(`.rail nav a[href^="${PLACES[key]}"]`);
    link?.click();
    return Boolean(link);
  }

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (off() || event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if ($(OPEN)) return;
    if (target.matches(TYPED)) {
      const from = key === "Escape" && target.closest("tr[data-lead]");
      if (from) goTo(from);
      return;
    }
    if (event.repeat && !REPEATS.includes(key)) return;
    const second = Date.now() - wentAt < WAITS;
    wentAt = 0;
    if (second) {
      if (go(key)) event.preventDefault();
      return;
    }
    if (/^[1-7]$/.test(key)) setOutcome(key);
    else if (!KEYS[key] || KEYS[key](event) === false) return;
    event.preventDefault();
  });

  document.addEventListener("focusin", (event) => {
    const into = event.target.closest?.("tr[data-lead]");
    if (into && into.id !== current) mark(into);
  });
  document.addEventListener("focus-row", () => row()?.focus());
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-keys-close]")) $("#keys-help")?.close();
  });

  // A swap of the list takes the focus of its rows along: give it back.
  let wasInRow = false;
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id === "table-region") wasInRow = Boolean(document.activeElement?.closest("tr[data-lead]"));
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!event.detail.elt.closest?.("#table-region")) return;
    if (!off()) mark(row());
    if (wasInRow && document.activeElement === document.body) row()?.focus();
    wasInRow = false;
  });
  if (!off()) mark(rows()[0]);
})();
