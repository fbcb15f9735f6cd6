// The drop area of an upload: takes a file dropped anywhere on the page, names what was chosen and its size, says at
// once that it is too large, and keeps a second press from sending it twice.
(() => {
  const area = document.querySelector(".drop");
  if (!area) return;
  const input = area.querySelector("input[type=file]");
  const said = area.querySelector("output");
  const empty = said.textContent;
  const limit = Number(area.dataset.limit);
  const button = input.form.querySelector("[type=submit]");
  const verb = button.textContent;

  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const size = (bytes) => {
    const units = ["bytes", "KB", "MB", "GB"];
    const power = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log(bytes) / Math.log(1024)));
    return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
  };

  function say(text, wrong) {
    said.textContent = text;
    area.classList.toggle("is-wrong", wrong);
  }

  function show() {
    const file = input.files[0];
    const large = file && file.size > limit;
    if (!file) say(empty, false);
    else if (large) say(`${file.name} · ${size(file.size)} is larger than ${size(limit)}. Split it and upload the parts.`, true);
    else say(`${file.name} · ${size(file.size)}`, false);
    area.classList.toggle("is-full", Boolean(file) && !large);
    return !large;
  }

  input.addEventListener("change", show);
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    area.classList.add("is-over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) area.classList.remove("is-over");
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    area.classList.remove("is-over");
    if (event.dataTransfer.files.length > 1) return say("Drop one file at a time.", true);
    input.files = event.dataTransfer.files;
    show();
    button.focus();
  });
  input.form.addEventListener("submit", (event) => {
    if (!show()) return event.preventDefault();
    button.disabled = true;
    button.textContent = "Uploading…";
  });
  window.addEventListener("pageshow", () => {
    button.disabled = false; // Back brings the page as it was left
    button.textContent = verb;
    show();
  });
})();
