// What htmx leaves to us: short addresses, failures told, focus and typing kept, results announced.
(() => {
  const live = document.getElementById("live");
  const words = {
    0: "The server cannot be reached. Check your connection and try again.",
    400: "The server did not understand this. Reload the page and try again.",
    403: "This is not allowed. Reload the page; perhaps you were logged out in between.",
    404: "This is no longer here, or it is not yours to see.",
    413: "This is too large.",
    429: "Too many requests. Wait a moment, then try again.",
  };

  function announce(text) {
    const line = document.createElement("span");
    line.className = "visually-hidden";
    line.textContent = text;
    live.querySelector(":scope > .visually-hidden")?.remove();
    live.append(line);
  }

  function toast(text) {
    const box = document.createElement("div");
    const close = document.createElement("button");
    box.className = "toast";
    box.textContent = text;
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => box.remove());
    box.append(close);
    live.querySelectorAll(".toast").forEach((old) => old.remove());
    live.append(box);
  }

  function failed(status, control) {
    toast(words[status] || "Something went wrong on the server. Nothing was saved; try again.");
    // A cell never shows a choice that was not saved; what was typed stays, marked.
    if (!control?.matches?.(".edit-control")) return;
    if (control.options) for (const option of control.options) option.selected = option.defaultSelected;
    else control.setAttribute("aria-invalid", "true");
  }

  document.addEventListener("announce", (event) => announce(event.detail));

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") return;
    const values = event.detail.formData;
    for (const [name, value] of [...values.entries()]) if (value === "") values.delete(name);
  });

  document.addEventListener("htmx:sendError", (event) => failed(0, event.detail.elt));
  document.addEventListener("htmx:timeout", (event) => failed(0, event.detail.elt));
  document.addEventListener("htmx:responseError", (event) => failed(event.detail.xhr.status, event.detail.elt));

  // What is being typed while an answer arrives is not taken away by it.
  let typing = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const field = document.activeElement;
    const inside = event.detail.shouldSwap && field?.id && event.detail.target.contains(field);
    typing = inside && field.matches("input[type=search], input[type=text]:not(.edit-control), textarea") ? field : null;
  });
  document.addEventListener("htmx:afterSwap", () => {
    const field = typing && document.getElementById(typing.id);
    if (field && field !== typing && field.value !== typing.value) field.value = typing.value;
    typing = null;
  });

  // On a phone the rail scrolls sideways: show where we are.
  document.querySelector(".rail [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

  document.addEventListener("htmx:afterSettle", (event) => {
    const region = event.detail.elt.closest?.("[data-announce]");
    if (region) announce(region.dataset.announce);
  });
})();
