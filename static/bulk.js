// The selection in the list of leads, its bar, and the undo of what was done last.
(() => {
  const form = document.getElementById("bulk-form");
  if (!form) return;
  const [said, all, told] = ["bulk-said", "bulk-all", "told"].map((id) => document.getElementById(id));
  const fields = document.getElementById("bulk-more-fields");
  const BESIDE = ["sort", "page", "after", "before", "column", "view"]; // what is no filter
  const STAYS = 15_000; // milliseconds, while nobody looks at it

  let picked = new Map(); // lead id → the version that was on the page
  let everything = false; // all that match, but for those in `skipped`
  let skipped = new Set();
  let count = ""; // how many match, as text
  let anchor = null; // where a range begins
  const done = []; // addresses that undo what was done here, the last one last
  const saving = new Set(); // controls whose save is on its way
  const queue = []; // what keys have chosen: one save after the other, so that their order is that of the keys
  let undoNext = false;
  let timer = 0;

  const boxes = () => [...document.querySelectorAll(".row-select")];
  const announce = (text) => document.dispatchEvent(new CustomEvent("announce", { detail: text }));
  const version = (id) => document.getElementById(`version-${id}`)?.value ?? "";

  function question() {
    const query = new URLSearchParams(location.search);
    BESIDE.forEach((name) => query.delete(name));
    return query.toString();
  }
  let asked = question();

  // --- The selection ---
  function size() {
    if (!everything) return picked.size;
    return Math.max(Number(count.replace(/\D/g, "")) - skipped.size, 0);
  }

  function words() {
    if (!everything) return `${size()} selected`;
    return `All ${count} matching${skipped.size ? ` but ${skipped.size}` : ""} selected`;
  }

  function draw() {
    const some = everything || picked.size > 0;
    form.classList.toggle("is-open", some);
    said.textContent = some ? words() : "";
    const more = !everything && count && count !== String(picked.size) && count !== "0";
    all.hidden = !more;
    if (more) all.textContent = `all ${count} matching`;
    const ticked = boxes().filter((box) => box.checked).length;
    const head = document.getElementById("select-page");
    if (!head) return;
    head.hidden = false;
    head.checked = ticked > 0 && ticked === boxes().length;
    head.indeterminate = ticked > 0 && !head.checked;
  }

  function note(box) {
    if (everything) box.checked ? skipped.delete(box.value) : skipped.add(box.value);
    else if (box.checked) picked.set(box.value, version(box.value));
    else picked.delete(box.value);
    if (box.checked && !count) ask();
  }

  function ask() {
    const about = asked;
    fetch(`${form.dataset.count}?${about}`, { headers: { "HX-Request": "true" } })
      .then((answer) => (answer.status === 200 ? answer.text() : ""))
      .catch(() => "")
      .then((text) => {
        if (about !== asked) return;
        count = text;
        draw();
      });
  }

  function clear(quietly) {
    const some = everything || picked.size;
    [picked, skipped, everything, anchor] = [new Map(), new Set(), false, null];
    boxes().forEach((box) => (box.checked = false));
    draw();
    if (some && !quietly) announce("Nothing selected.");
  }

  function tickAgain() {
    if (question() !== asked) {
      [asked, count] = [question(), ""];
      clear(true);
    }
    form.elements.query.value = asked;
    boxes().forEach((box) => (box.checked = everything ? !skipped.has(box.value) : picked.has(box.value)));
    draw();
  }

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.id === "select-page") {
      for (const each of boxes()) if (each.checked !== box.checked) [each.checked] = [box.checked], note(each);
    } else if (box.matches?.(".row-select")) note(box);
    else return;
    draw();
    announce(words());
  });

  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!box.matches?.(".row-select")) return;
    const list = boxes();
    const [from, to] = [list.findIndex((each) => each.value === anchor), list.indexOf(box)];
    if (event.shiftKey && from >= 0) {
      for (const each of list.slice(Math.min(from, to), Math.max(from, to) + 1)) {
        if (each === box || each.checked === box.checked) continue;
        each.checked = box.checked;
        note(each);
      }
    }
    anchor = box.value;
  });

  all.addEventListener("click", () => {
    [everything, skipped] = [true, new Set()];
    boxes().forEach((box) => (box.checked = true));
    draw();
    announce(words());
    form.querySelector("[data-key]").focus();
  });
  document.getElementById("bulk-clear").addEventListener("click", () => clear());
  document.addEventListener("clear-selection", () => clear());

  // --- What is sent ---
  function fill() {
    const [shown, made] = [new Set(boxes().map((box) => box.value)), []];
    const add = (name, value) => made.push(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    if (everything) {
      add("scope", "all");
      skipped.forEach((id) => add("skip", id));
    } else {
      for (const [id, seen] of picked) {
        if (!shown.has(id)) add("lead", id);
        if (seen) add("seen", `${id}:${seen}`);
      }
    }
    fields.replaceChildren(...made);
  }

  form.addEventListener("submit", (event) => {
    fill();
    const { name, value } = event.submitter ?? {};
    if (name !== "outcome") return; // to the page that asks
    event.preventDefault();
    htmx.ajax("POST", form.action, { source: form, swap: "none", values: { [name]: value, now: "1" } });
  });

  // --- What was done, and its undo ---
  function show(text, undo, more) {
    const line = document.createElement("span");
    line.textContent = text;
    const parts = [line];
    if (more) parts.push(Object.assign(document.createElement("a"), { href: more, textContent: "Which and why" }));
    if (undo) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "undo-last" });
      button.append("Undo ", Object.assign(document.createElement("kbd"), { textContent: "u", ariaHidden: "true" }));
      button.addEventListener("click", undoLast);
      parts.push(button);
    }
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close" });
    close.addEventListener("click", hide);
    const hadFocus = told.contains(document.activeElement);
    told.replaceChildren(...parts, close);
    told.hidden = false;
    if (hadFocus) (told.querySelector(".undo-last") ?? close).focus();
    clearTimeout(timer);
    timer = setTimeout(fade, STAYS);
  }

  function fade() {
    if (told.matches(":hover, :focus-within")) timer = setTimeout(fade, STAYS);
    else hide();
  }

  function hide() {
    const hadFocus = told.contains(document.activeElement);
    told.hidden = true;
    if (hadFocus) document.dispatchEvent(new CustomEvent("focus-row"));
  }

  function undoLast() {
    if (saving.size || queue.length) {
      undoNext = true; // once it is saved
      return;
    }
    undoNext = false;
    const address = done.pop();
    if (address) htmx.ajax("POST", address, { source: told, swap: "none" });
    else announce("Nothing was changed on this page yet. Earlier changes can be undone in History.");
  }
  document.addEventListener("undo-last", undoLast);
  document.getElementById("bulk-undo").addEventListener("click", undoLast);

  document.addEventListener("told", (event) => {
    const { text, undo, more, changed } = event.detail;
    if (undo) done.push(undo);
    show(text, undo, more);
    announce(text);
    if (!changed) return;
    clear(true);
    const here = location.pathname + location.search;
    htmx.ajax("GET", here, { target: "#table-region", swap: "outerHTML", headers: { "X-Quiet": "1" } });
  });

  function saveNext() {
    while (queue.length && !saving.size) {
      const { id, value } = queue.shift();
      const control = document.getElementById(id);
      if (!control || control.disabled) continue;
      control.value = value;
      saving.add(id);
      control.dispatchEvent(new CustomEvent("save-now"));
    }
  }
  document.addEventListener("choose", (event) => {
    queue.push(event.detail);
    saveNext();
  });
  window.addEventListener("beforeunload", (event) => {
    if (queue.length) event.preventDefault(); // what was chosen is not saved yet
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches?.(".edit-control")) saving.add(event.target.id);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, requestConfig } = event.detail;
    const { elt } = requestConfig; // by now another may stand in its place
    if (!elt.matches?.(".edit-control, .edit-note button")) return;
    saving.delete(elt.id);
    const undo = xhr.getResponseHeader("X-Undo");
    if (undo) {
      done.push(undo);
      show(`Saved: ${elt.getAttribute("aria-label") ?? "the lead"}.`, undo);
    }
    saveNext();
    if (undoNext && !saving.size && !queue.length) undoLast();
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt.closest?.("#table-region, .edit")) tickAgain();
  });
  window.addEventListener("pageshow", tickAgain);
  tickAgain();
})();
