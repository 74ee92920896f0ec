"use strict";
// Everything works without this file; it adds a notice, a key and a way to zoom.

// A newer publication is told of, not shown: nobody likes a page that changes under the hand.
const stamp = document.body.dataset.stamp;
const news = document.getElementById("news");
if (stamp && news) {
  const look = async () => {
    if (document.hidden || !news.hidden) return;
    try {
      const answer = await fetch("/api/publication");
      if (answer.ok && (await answer.json()).stamp !== stamp) news.hidden = false;
    } catch {
      return; // The server is away; the page is as good as it was.
    }
  };
  setInterval(look, 30000);
  document.addEventListener("visibilitychange", look);
}

// "/" goes to the search field.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  document.getElementById("find").focus();
});

// Dragging across the timeline's lanes asks for the days between.
const plot = document.querySelector(".zoomable .plot");
if (plot) {
  const first = Date.parse(plot.dataset.first);
  const days = Number(plot.dataset.days);
  let from = null;
  const brush = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  brush.setAttribute("class", "brush");
  brush.setAttribute("height", "100%");
  const at = (event) => {
    const box = plot.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const day = (share) =>
    new Date(first + Math.min(days - 1, Math.floor(share * days)) * 86400000)
      .toISOString().slice(0, 10);
  plot.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button !== 0) return;
    from = at(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = at(event);
    brush.setAttribute("x", `${100 * Math.min(from, to)}%`);
    brush.setAttribute("width", `${100 * Math.abs(from - to)}%`);
    if (!brush.isConnected) plot.append(brush);
  });
  const end = (event) => {
    if (from === null) return;
    const [low, high] = [Math.min(from, at(event)), Math.max(from, at(event))];
    from = null;
    brush.remove();
    if (event.type === "pointercancel" || (high - low) * days < 1) return;
    const asked = new URLSearchParams(location.search);
    asked.set("first", day(low));
    asked.set("last", day(high));
    location.search = asked;
  };
  plot.addEventListener("pointerup", end);
  plot.addEventListener("pointercancel", end);
}
