/* Draws the charts: each .chart-data element carries a chart's numbers in data-points, and names by
   data-chart the element chart-<name> to draw into. Colours come from the style sheet, by probes of class ink-…. */
(() => {
  "use strict";

  const FONT = "12px Inter, system-ui, sans-serif";
  const drawn = new Map(); // name → {plot, points, host}
  const inks = {};

  const ink = (name) => {
    if (!inks[name]) {
      const probe = document.createElement("i");
      probe.className = `ink-${name}`;
      probe.hidden = true;
      document.body.append(probe);
      inks[name] = getComputedStyle(probe).color;
      probe.remove();
    }
    return inks[name];
  };

  /* As the person reads numbers and dates (portal/formats.py): said by the page where it is not the house's way. */
  const { numbers, dates } = document.documentElement.dataset;
  const signs = { point: [".", ","], space: ["\u00a0", ","], quote: ["’", "."] }[numbers] || [",", "."];
  const localised = (text) => text.replace(/[,.]/g, (sign) => signs[sign === "," ? 0 : 1]);
  const month = new Intl.DateTimeFormat("en-US", { month: "short", timeZone: "UTC" });
  const two = (number) => String(number).padStart(2, "0");
  const day = (seconds) => {
    const date = new Date(seconds * 1000);
    const [d, m] = [two(date.getUTCDate()), two(date.getUTCMonth() + 1)];
    const forms = { day: `${d}.${m}.`, slash: `${d}/${m}`, month: `${m}/${d}`, iso: `${m}-${d}` };
    return forms[dates] || `${date.getUTCDate()} ${month.format(date)}`;
  };
  const isRevenue = (data) => data.decimals !== undefined;

  const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
  const plain = (value, places) =>
    localised(value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }));
  const tick = (data, value) =>
    isRevenue(data) ? localised(short.format(value)) : `${localised(String(+value.toFixed(2)))}${data.unit && ` ${data.unit}`}`;

  /* What the tip says of the week at an index. */
  const told = (data, at) => {
    const week = `${day(data.x[at])} – ${day(data.x[at] + 6 * 86400)}`;
    if (data.y[at] === null) return `${week}: nothing counted`;
    const young = data.maturing !== null && at >= data.maturing ? ", maturing" : "";
    if (isRevenue(data)) return `${week}: ${plain(data.y[at], data.decimals)} ${data.unit}${young}`;
    const places = data.unit ? 1 : 2;
    const unit = data.unit && ` ${data.unit}`;
    return `${week}: ${plain(data.y[at], places)}${unit} (${plain(data.low[at], places)}–${plain(data.high[at], places)})${young}`;
  };

  /* The range of the value axis: of what is sure, with some air; a wide band of few leads runs out of it. */
  const range = (data) => {
    if (isRevenue(data)) return [0, Math.max(1, ...data.y) * 1.08];
    const sure = data.y.filter((value) => value !== null);
    const best = Math.max(...sure, 0);
    const lines = (data.thresholds || []).map(([value]) => value).filter((value) => !best || value <= 2 * best);
    const all = [...sure, ...lines];
    if (!all.length) return [data.low_end || 0, data.high_end || 10];
    const low = Math.min(...all);
    const high = Math.max(...all);
    const air = Math.max((high - low) * 0.25, high * 0.05, 0.5);
    const band = Math.min(Math.max(...data.high), high * 1.6);
    return [Math.max(data.low_end || 0, low - air), Math.min(data.high_end || 100, Math.max(high + air, band))];
  };

  /* Half a week to either side, so that the first and the last week stand free. */
  const span = (data) => {
    const half = 3.5 * 86400;
    return [data.x[0] - half, data.x[data.x.length - 1] + half];
  };

  const splits = (data, width) => {
    const step = Math.max(1, Math.ceil(data.x.length / Math.max(2, Math.floor(width / 72))));
    return data.x.filter((_, at) => at % step === 0);
  };

  const shadeMaturing = (data) => (plot) => {
    if (data.maturing === null) return;
    const { left, top, width, height } = plot.bbox;
    const begin = Math.max(left, plot.valToPos(data.x[data.maturing] - 3.5 * 86400, "x", true));
    plot.ctx.save();
    plot.ctx.fillStyle = ink("zone");
    plot.ctx.fillRect(begin, top, left + width - begin, height);
    plot.ctx.restore();
  };

  const drawThresholds = (data) => (plot) => {
    const { left, top, width, height } = plot.bbox;
    for (const [value, kind] of data.thresholds || []) {
      const y = plot.valToPos(value, "y", true);
      if (y < top || y > top + height) continue;
      plot.ctx.save();
      plot.ctx.strokeStyle = ink(kind);
      plot.ctx.lineWidth = devicePixelRatio;
      plot.ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      plot.ctx.beginPath();
      plot.ctx.moveTo(left, y);
      plot.ctx.lineTo(left + width, y);
      plot.ctx.stroke();
      plot.ctx.restore();
    }
  };

  const tip = (data) => {
    const box = document.createElement("div");
    box.className = "chart-tip";
    box.hidden = true;
    return {
      hooks: {
        init: (plot) => plot.over.append(box),
        setCursor: (plot) => {
          const { idx, left } = plot.cursor;
          box.hidden = idx === null || idx === undefined || left < 0;
          if (box.hidden) return;
          box.textContent = told(data, idx);
          const room = plot.over.clientWidth - box.offsetWidth;
          box.style.left = `${Math.max(0, Math.min(room, left - box.offsetWidth / 2))}px`;
        },
      },
    };
  };

  const line = () => ({ stroke: () => ink("line"), width: 2, points: { show: true, size: 5, fill: () => ink("line") } });
  const edge = () => ({ stroke: "transparent", width: 0, points: { show: false } });

  const bars = () => ({
    fill: () => ink("line"),
    stroke: "transparent",
    width: 0,
    points: { show: false },
    paths: uPlot.paths.bars({ size: [0.72, 40], radius: 0.12 }),
  });

  const columns = (data) => (isRevenue(data) ? [data.x, data.y] : [data.x, data.y, data.high, data.low]);

  const options = (data, { clientWidth: width, clientHeight: height }) => {
    const axis = { stroke: () => ink("label"), font: FONT, ticks: { show: false } };
    return {
      width,
      height,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: false, range: () => span(data) }, y: { range: () => range(data) } },
      series: [{}, ...(isRevenue(data) ? [bars()] : [line(), edge(), edge()])],
      bands: isRevenue(data) ? [] : [{ series: [2, 3], fill: () => ink("band") }],
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          splits: (plot) => splits(data, plot.width),
          values: (_, days) => days.map(day),
        },
        {
          ...axis,
          grid: { stroke: () => ink("grid"), width: 1 },
          size: 52,
          space: 40,
          values: (_, values) => values.map((value) => tick(data, value)),
        },
      ],
      hooks: { drawClear: [shadeMaturing(data)], draw: [drawThresholds(data)] },
      plugins: [tip(data)],
    };
  };

  const draw = (source) => {
    const name = source.dataset.chart;
    const host = document.getElementById(`chart-${name}`);
    if (!host) return;
    host.setAttribute("aria-label", source.dataset.summary);
    const before = drawn.get(name);
    if (before && before.host === host && before.points === source.dataset.points && host.firstChild) return;
    const data = JSON.parse(source.dataset.points);
    const plot = data.x.length ? new uPlot(options(data, host), columns(data)) : null;
    host.replaceChildren(...(plot ? [plot.root] : []));
    if (before && before.plot) before.plot.destroy();
    drawn.set(name, { plot, points: source.dataset.points, host });
    resizes.observe(host);
  };

  const resizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const found = [...drawn.values()].find((each) => each.host === target);
      if (found && found.plot && target.clientWidth) found.plot.setSize({ width: target.clientWidth, height: target.clientHeight });
    }
  });

  const drawAll = () => document.querySelectorAll(".chart-data").forEach(draw);

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    Object.keys(inks).forEach((name) => delete inks[name]);
    drawn.forEach(({ plot }) => plot && plot.redraw(false, true));
  });
  document.addEventListener("htmx:afterSettle", drawAll);
  document.addEventListener("DOMContentLoaded", drawAll);
  if (document.readyState !== "loading") drawAll();
})();
