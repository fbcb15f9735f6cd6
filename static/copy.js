// A button that copies a text which is shown once: <button data-copy="id of the text" hidden>.
(() => {
  if (!navigator.clipboard) return; // no secure address: the text can be selected with one click
  document.querySelectorAll("[data-copy]").forEach((button) => {
    const said = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
      document.getElementById("live").textContent = "Copied.";
      setTimeout(() => (button.textContent = said), 2000);
    });
  });
})();
