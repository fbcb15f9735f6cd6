/* Keeps #board fresh: asks every few seconds while the tab is looked at, says which state it has (ETag), and
   leaves everything alone when there is nothing new. What was open stays open. */
(() => {
  "use strict";

  const EVERY = 5000; // milliseconds
  const board = () => document.getElementById("board");
  let open = [];

  const ask = () => {
    if (board() && document.visibilityState === "visible") htmx.trigger(board(), "tick");
  };
  const isMine = (event) => event.detail.elt && event.detail.elt.id === "board";
  const say = (text, failed) => {
    const clock = document.getElementById("as-of");
    if (!clock) return;
    if (text) clock.textContent = text;
    clock.classList.toggle("is-stale", failed);
    clock.title = failed ? "The server does not answer. Trying again every few seconds." : "";
  };

  document.addEventListener("htmx:configRequest", (event) => {
    if (isMine(event) && board().dataset.etag) event.detail.headers["If-None-Match"] = board().dataset.etag;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    open = [...document.querySelectorAll("#board details[open]")].map((each) => each.id);
    const { xhr } = event.detail;
    if (xhr.status === 304) event.detail.shouldSwap = false;
    if (isMine(event)) say(xhr.getResponseHeader("X-As-Of"), xhr.status >= 400);
  });
  document.addEventListener("htmx:afterSwap", () => {
    open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  });
  document.addEventListener("htmx:sendError", (event) => isMine(event) && say("", true));
  document.addEventListener("visibilitychange", ask);
  setInterval(ask, EVERY);
})();
