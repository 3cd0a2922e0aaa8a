"use strict";
/* The charts: calls over time, durations, traffic. Each is drawn anew when the colours or the width change. */
const charts = (() => {
  const { byId, colour, count, element, facts, moment } = page;
  const HEIGHT = 220;
  const PRINTED_WIDTH = 660;
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 7776000, 31536000];
  const FONT = "12px system-ui, sans-serif";
  const drawn = new Map();

  function axis(more = {}) {
    return {
      stroke: colour("dim"), font: FONT, grid: { stroke: colour("grid"), width: 1 },
      ticks: { stroke: colour("grid"), width: 1, size: 4 }, ...more,
    };
  }

  /* Times below a chart: as fine as the steps between them, with the date where a day begins. */
  function times(_, splits, __, ___, step) {
    let day = "";
    return splits.map((second) => {
      const [date, time] = moment(second).split(" ");
      const told = step >= 86400 ? date.slice(5) : time.slice(0, step < 60 ? 8 : 5);
      const isNew = step < 86400 && date !== day;
      day = date;
      return isNew ? `${told}\n${date}` : told;
    });
  }

  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC");

  /* Draws into a holder and keeps it right; `describe` makes options and figures for the colours of now. */
  function draw(holder, describe) {
    const known = drawn.get(holder);
    if (known) known.chart.destroy();
    const { options, figures } = describe();
    const width = Math.max(holder.clientWidth, 200);
    const common = { width, height: HEIGHT, legend: { show: false }, tzDate: utc };
    const chart = new uPlot({ ...common, ...options }, figures, holder);
    drawn.set(holder, { chart, describe, width });
    if (!known) resizing.observe(holder);
  }

  const resizing = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const known = drawn.get(target);
      if (!target.isConnected) {
        resizing.unobserve(target);
        if (known) known.chart.destroy();
        drawn.delete(target);
      } else if (known && target.clientWidth && Math.abs(target.clientWidth - known.width) > 1) {
        known.width = target.clientWidth;
        known.chart.setSize({ width: known.width, height: HEIGHT });
      }
    }
  });

  function redrawAll() {
    for (const [holder, known] of [...drawn]) {
      if (holder.isConnected) draw(holder, known.describe);
    }
  }

  /* Says below a chart what stands under the pointer. */
  function reading(target, tell) {
    return { setCursor: [(chart) => { target.textContent = chart.cursor.idx === null || chart.cursor.idx === undefined ? "" : tell(chart.cursor.idx); }] };
  }

  const cursor = { y: false, points: { show: false }, drag: { x: false, y: false } };

  function pace(start) {
    const { at, width, bars } = start;
    const length = bars[bars.length - 1][0] + 1;
    const seconds = Array.from({ length }, (_, place) => at + (place + 0.5) * width);
    const calls = new Array(length).fill(0);
    const failed = new Array(length).fill(0);
    for (const [place, all, without] of bars) {
      calls[place] = all / width;
      failed[place] = without / width;
    }
    const top = Math.max(...calls, ...facts.rates.map((rate) => (rate[1] <= 3 * Math.max(...calls) ? rate[1] : 0)));
    const limits = facts.rates.filter((rate) => rate[1] <= top);
    draw(byId("pace"), () => ({
      figures: [seconds, calls, failed, ...limits.map((rate) => new Array(length).fill(rate[1]))],
      options: {
        cursor,
        scales: { x: { time: true, range: () => [at - width * 0.25, at + Math.max(length, 3) * width] }, y: { range: () => [0, top * 1.12 || 1] } },
        axes: [axis({ space: 70, values: times, incrs: STEPS }), axis({ size: 48 })],
        series: [
          {},
          { fill: colour("chart-1"), width: 0, paths: uPlot.paths.bars({ size: [0.85, 90] }), points: { show: false } },
          { fill: colour("chart-2"), width: 0, paths: uPlot.paths.bars({ size: [0.85, 90] }), points: { show: false } },
          ...limits.map(() => ({ scale: "y", show: false })),
        ],
        hooks: {
          ...reading(byId("pace-reading"), (place) => `${moment(at + place * width)} UTC: ${count(+calls[place].toFixed(2))} a second, ${count(+failed[place].toFixed(2))} of them without success`),
          draw: [(chart) => limitLines(chart, limits)],
        },
      },
    }));
    paceLegend(width, failed.some((value) => value > 0));
    byId("pace").setAttribute("role", "img");
    byId("pace").setAttribute("aria-label", `Calls a second over time: ${count(start.calls)} calls from ${moment(at)} UTC on, at most ${count(+Math.max(...calls).toFixed(2))} a second`);
  }

  /* Draws the limits from edge to edge, however few bars there are. */
  function limitLines(chart, limits) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.strokeStyle = colour("chart-limit");
    ctx.lineWidth = 2;
    ctx.setLineDash([6, 5]);
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    for (const [name, rate] of limits) {
      const y = chart.valToPos(rate, "y", true);
      if (limits.length > 1) limitName(ctx, name, bbox.left + bbox.width, y);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  /* Writes the name of a limit above its line, readable on a bar as well. */
  function limitName(ctx, name, right, y) {
    const [wide, high] = [ctx.measureText(name).width + 8 * devicePixelRatio, 15 * devicePixelRatio];
    ctx.fillStyle = colour("card");
    ctx.fillRect(right - wide, y - high - 2 * devicePixelRatio, wide, high);
    ctx.fillStyle = colour("dim");
    ctx.fillText(name, right - 4 * devicePixelRatio, y - 5 * devicePixelRatio);
  }

  function paceLegend(width, hasFailed) {
    const keys = [element("span", { class: "key key-1" }), " calls, "];
    if (hasFailed) keys.splice(1, 1, " calls", element("span", { class: "key key-2" }), " without success, ");
    keys.push(width === 1 ? "each second" : `mean of ${width < 120 ? `${width} s` : `${width / 60} min`}`);
    if (facts.rates.length) keys.push(element("span", { class: "key key-limit" }), ` limit ${facts.rates.map((rate) => rate[0]).join(", ")}`);
    byId("pace-legend").replaceChildren(...keys);
  }

  function latency() {
    const { edges, counts } = facts.latency;
    const first = Math.max(0, counts.findIndex((times) => times > 0) - 1);
    const last = Math.min(counts.length - 1, counts.length - [...counts].reverse().findIndex((times) => times > 0));
    const shown = counts.slice(first, last + 1);
    const edge = (place) => (place >= 0 && place < edges.length ? shortMs(edges[place]) : "");
    const range = (place) => (place === 0 ? `below ${shortMs(edges[0])}` : place >= edges.length ? `${shortMs(edges[edges.length - 1])} and more` : `${shortMs(edges[place - 1])} to ${shortMs(edges[place])}`);
    draw(byId("latency"), () => ({
      figures: [shown.map((_, place) => place), shown],
      options: {
        cursor,
        scales: { x: { time: false, range: () => [-0.6, shown.length - 0.4] }, y: { range: (_, __, most) => [0, most * 1.12 || 1] } },
        axes: [
          axis({ splits: () => shown.map((_, place) => place + 0.5).slice(0, -1), values: (_, splits) => splits.map((split) => edge(first + split - 0.5)), space: 10, incrs: [1], filter: (chart, splits) => thinned(splits, chart.width) }),
          axis({ size: 66, values: (_, splits) => splits.map((split) => (Number.isInteger(split) ? count(split) : "")) }),
        ],
        series: [{}, { fill: colour("chart-1"), width: 0, paths: uPlot.paths.bars({ size: [0.92, 80] }), points: { show: false } }],
        hooks: reading(byId("latency-reading"), (place) => `${range(first + place)}: ${count(shown[place])} answers`),
      },
    }));
    byId("latency").setAttribute("role", "img");
    byId("latency").setAttribute("aria-label", `Durations of answers: ${shown.map((times, place) => (times ? `${count(times)} took ${range(first + place)}` : "")).filter(Boolean).join("; ")}`);
  }

  const shortMs = (ms) => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`);
  const thinned = (splits, width) => {
    const every = Math.max(1, Math.ceil((splits.length * 62) / width));
    return splits.map((split, place) => (place % every === 0 ? split : null));
  };

  function course(holder, target, [seconds, inbound, outbound]) {
    draw(holder, () => ({
      figures: [seconds, inbound, outbound],
      options: {
        cursor: { ...cursor, points: { show: true } },
        scales: { x: { time: true }, y: { range: (_, __, most) => [0, most * 1.1 || 1] } },
        axes: [axis({ space: 70, values: times, incrs: STEPS }), axis({ size: 64, values: (_, splits) => splits.map((split) => `${count(+split.toPrecision(4))}`) })],
        series: [{}, line("chart-1"), line("chart-2", [6, 4])],
        hooks: reading(target, (place) => `${moment(seconds[place], 16)} UTC: ${inbound[place]} GB in, ${outbound[place]} GB out`),
      },
    }));
    holder.setAttribute("role", "img");
    holder.setAttribute("aria-label", `Traffic over time, ${seconds.length} points, ${moment(seconds[0], 16)} to ${moment(seconds[seconds.length - 1], 16)} UTC`);
  }

  const line = (name, dash) => ({ stroke: colour(name), width: 2, dash, points: { show: false } });
  const courseLegend = () => element("p", { class: "legend" }, element("span", { class: "key key-1" }), " in, GB", element("span", { class: "key key-2" }), " out, GB (dashed)");

  function startPace() {
    const starts = facts.timelines;
    if (!starts.length || !byId("charts")) return;
    byId("charts").hidden = false;
    const select = byId("start-of");
    select.replaceChildren(...starts.map((start, place) => element("option", { value: place }, `${start.start}: ${moment(start.at, 16)}`)));
    select.value = String(starts.length - 1);
    byId("start-label").hidden = starts.length < 2;
    select.addEventListener("change", () => pace(starts[Number(select.value)]));
    pace(starts[starts.length - 1]);
    if (facts.latency.counts.some((times) => times > 0)) latency();
    else byId("latency").closest(".chart-block").hidden = true;
  }

  /* A sheet of paper is narrower than most windows. */
  window.addEventListener("beforeprint", () => drawn.forEach((known) => known.chart.setSize({ width: PRINTED_WIDTH, height: HEIGHT })));
  window.addEventListener("afterprint", redrawAll);
  page.onTheme(redrawAll);
  return { course, courseLegend, startPace };
})();
