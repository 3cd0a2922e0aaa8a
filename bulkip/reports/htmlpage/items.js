"use strict";
/* The table of items: search, filter, order, pages, and everything about one item where it is opened. */
const items = (() => {
  const { block, byId, count, element, facts, lasted, moment } = page;
  const PAGE = 50;
  const PRINTED = 500;
  const place = Object.fromEntries(facts.columns.map((name, index) => [name, index]));
  const rows = block("rows");
  const stamps = block("stamps");
  const columns = [...document.querySelectorAll("th[data-column]")].map((head) => ({ id: head.dataset.column, head, label: head.textContent.trim(), isNumber: head.classList.contains("number") }));
  const state = { words: [], statuses: new Set(), errorClass: null, column: null, isDescending: false, first: 0, length: PAGE, opened: new Set() };
  let shown = rows.slice();
  let calls = null;

  const get = (row, name) => row[place[name]] ?? null;
  const statusOf = (row) => facts.status[get(row, "status")];
  const classOf = (row) => (get(row, "class") === null ? null : facts.class[get(row, "class")]);
  const names = (value) => (Array.isArray(value) ? value.join(", ") : value || "(no PTR)");

  /* What a search looks through, made once for each row when it is first needed. */
  const texts = new Map();
  function textOf(row) {
    let text = texts.get(row);
    if (text === undefined) {
      const parts = ["ip", "action", "before", "after", "wanted", "message", "note", "answer", "source", "code"].map((name) => get(row, name));
      text = [...parts.flat(), statusOf(row), classOf(row)].filter((part) => part !== null).join("\n").toLowerCase();
      texts.set(row, text);
    }
    return text;
  }

  function addressKey(ip) {
    if (ip === null) return "";
    if (!ip.includes(":")) return `4${ip.split(".").map((part) => part.padStart(3, "0")).join("")}`;
    const [head, tail] = ip.split("::").map((side) => (side ? side.split(":") : []));
    const filled = tail ? [...head, ...new Array(Math.max(0, 8 - head.length - tail.length)).fill("0"), ...tail] : head;
    return `6${filled.map((part) => part.padStart(4, "0")).join("")}`;
  }

  const KEYS = {
    ip: (row) => addressKey(get(row, "ip")),
    status: (row) => get(row, "status"),
    names: (row) => names(get(row, "after") ?? get(row, "wanted") ?? get(row, "before")).toLowerCase(),
    verified: (row) => get(row, "verified") ?? -1,
    in: (row) => (get(row, "in") === null ? -1 : Number(get(row, "in"))),
    out: (row) => (get(row, "out") === null ? -1 : Number(get(row, "out"))),
    message: (row) => `${classOf(row) ?? "~"} ${get(row, "message") ?? ""}`.toLowerCase(),
    attempts: (row) => get(row, "attempts") ?? 0,
    ms: (row) => get(row, "ms") ?? -1,
  };

  function ordered(found) {
    if (state.column === null) return found;
    const key = KEYS[state.column] ?? ((row) => String(get(row, state.column) ?? "").toLowerCase());
    const keyed = found.map((row) => [key(row), row]);
    const sign = state.isDescending ? -1 : 1;
    keyed.sort(([a, one], [b, other]) => (a < b ? -sign : a > b ? sign : one[0] - other[0]));
    return keyed.map(([, row]) => row);
  }

  function find() {
    const isWanted = (row) => (state.statuses.size === 0 || state.statuses.has(statusOf(row)))
      && (state.errorClass === null || classOf(row) === state.errorClass)
      && state.words.every((word) => textOf(row).includes(word));
    shown = ordered(rows.filter(isWanted));
    state.first = 0;
    show();
  }

  function show() {
    const last = Math.min(state.first + state.length, shown.length);
    const made = [];
    for (const row of shown.slice(state.first, last)) {
      made.push(line(row));
      if (state.opened.has(row[0])) made.push(detail(row));
    }
    byId("rows-shown").replaceChildren(...made);
    for (const { row, holder, target } of waiting.splice(0)) charts.course(holder, target, courseOf(row));
    byId("found").textContent = shown.length === rows.length ? `${count(rows.length)} items` : `${count(shown.length)} of ${count(rows.length)} items`;
    byId("page-number").textContent = shown.length ? `${count(state.first + 1)} to ${count(last)}` : "nothing found";
    byId("previous").disabled = state.first === 0;
    byId("next").disabled = last >= shown.length;
  }

  function line(row) {
    const isOpen = state.opened.has(row[0]);
    const made = element("tr", { "data-number": row[0], class: isOpen ? "opened" : null });
    for (const { id, label, isNumber } of columns) {
      const content = (CELLS[id] ?? ((one) => [get(one, id)]))(row);
      const isVoid = content.every((part) => part === null || part === "");
      made.append(element("td", { "data-column": id, "data-label": label, class: [isNumber ? "number" : "", isVoid ? "void" : ""].join(" ").trim() || null }, element("div", {}, content)));
    }
    return made;
  }

  const CELLS = {
    ip: (row) => [element("button", { type: "button", class: "link opener", "aria-expanded": state.opened.has(row[0]) }, element("span", { class: "open-sign", "aria-hidden": "true" }, state.opened.has(row[0]) ? "▾" : "▸"), get(row, "ip") ?? get(row, "action"))],
    status: (row) => [statusMark(statusOf(row))],
    names: namesCell,
    verified: (row) => [isAboutNames(row) ? verifiedMark(get(row, "verified")) : null],
    message: (row) => [classOf(row) ? element("span", { class: "tag" }, classOf(row)) : null, get(row, "message"), get(row, "note") ? element("span", { class: "dim" }, `${get(row, "message") ? " " : ""}(${get(row, "note")})`) : null],
    attempts: (row) => [count(get(row, "attempts") ?? 0)],
    ms: (row) => [lasted(get(row, "ms"))],
    in: (row) => [get(row, "in")],
    out: (row) => [get(row, "out")],
    answer: (row) => [get(row, "answer")],
  };
  CELLS.in = (row) => [get(row, "in") ?? (get(row, "empty") ? element("span", { class: "dim" }, "no traffic") : null)];

  function statusMark(status) {
    const [sign, tone] = facts.marks[status];
    return element("span", { class: `status tone-${tone}` }, element("span", { class: "sign", "aria-hidden": "true" }, sign), ` ${status.replace("_", " ")}`);
  }

  function verifiedMark(value) {
    if (value === 1) return element("span", { class: "mark tone-good" }, "✓ verified");
    if (value === 0) return element("span", { class: "mark tone-bad" }, "✕ not verified");
    return element("span", { class: "mark" }, "– not asked");
  }

  const isAboutNames = (row) => get(row, "action") === "update_ptr" || get(row, "before") !== null || get(row, "after") !== null;

  /* What was, what is, and what was wanted where that is not there. */
  function namesCell(row) {
    const [before, after, wanted] = ["before", "after", "wanted"].map((name) => get(row, name));
    if (!isAboutNames(row)) return [get(row, "answer")];
    const arrow = () => element("span", { class: "arrow", "aria-label": "to" }, "→");
    const is = wanted === null ? names(after) : null;
    const goal = wanted === null ? null : element("span", { class: "wanted", title: `${facts.wanted}, not there as far as is known` }, wanted === "" ? "no PTR" : names(wanted), ` (${facts.wanted})`);
    if (is !== null && (statusOf(row) === "unchanged" || statusOf(row) === "match" || names(before) === is)) return [is];
    const isKnown = before !== null || after !== null || statusOf(row) === "changed";
    const there = is === null ? goal : element("span", { class: "is" }, is);
    return [isKnown ? element("span", { class: "was" }, names(before ?? (is === null ? after : null))) : null, isKnown ? arrow() : null, there];
  }

  const courseOf = (row) => {
    const [at, inbound, outbound] = get(row, "course");
    return [stamps[at], inbound, outbound];
  };
  const waiting = [];

  function detail(row) {
    const made = element("td", { colspan: columns.length });
    const facts_ = [
      ["Action", get(row, "action")], ["Source", get(row, "source")],
      ["Before", get(row, "before") === null ? null : names(get(row, "before"))], ["After", get(row, "after") === null ? null : names(get(row, "after"))],
      ["In, GB", get(row, "in")], ["Out, GB", get(row, "out")],
      ["Error", [classOf(row), get(row, "code")].filter((part) => part !== null).join(", ") || null], ["Message", get(row, "message")], ["Note", get(row, "note")],
      ["HTTP status", get(row, "http")], ["Started", get(row, "started") === null ? null : `${moment(facts.base + get(row, "started") / 1000, 23)} UTC`],
      ["Wanted", get(row, "wanted") === null ? null : names(get(row, "wanted"))],
      ...Object.entries(get(row, "params") ?? {}).map(([name, value]) => [`Sent ${name}`, sentText(name, value)]),
      ["Answer", get(row, "raw")],
    ];
    const told = facts_.filter(([, text]) => text !== null && text !== "");
    made.append(element("dl", { class: "facts" }, told.map(([label, text]) => element("div", {}, element("dt", {}, label), element("dd", {}, String(text))))));
    made.append(...history(row));
    if (get(row, "course") !== null) {
      const holder = element("div", { class: "chart" });
      const target = element("p", { class: "reading" });
      made.append(element("h4", {}, "In and out over time"), charts.courseLegend(), holder, target);
      waiting.push({ row, holder, target });
    }
    return element("tr", { class: "detail", "data-of": row[0] }, made);
  }

  function sentText(name, value) {
    if (value === "") return "(empty)";
    return /^period_st/.test(name) && /^[0-9]{1,10}$/.test(value) ? `${value} (${moment(Number(value), 16)} UTC)` : value;
  }

  /* Every call of an item; read only when one is opened for the first time. */
  function history(row) {
    calls ??= new Map(block("calls"));
    const made = calls.get(row[0]);
    const title = element("h4", {}, "Calls");
    if (!made) {
      const isThere = get(row, "started") !== null && get(row, "http") !== null;
      const text = isThere ? `Not in this page: ${facts.explain.replace("ADDRESS", get(row, "ip") ?? "ADDRESS")}` : "Nothing was sent for this item.";
      return [title, element("p", { class: "dim" }, text)];
    }
    const heads = ["Sent, UTC", "For", "Took", "Outcome", "HTTP", "Message"];
    const lines = made.map(([purpose, sent, took, outcome, errorClass, http, message]) => [
      moment(facts.base + sent / 1000, 23), facts.purpose[purpose] ?? "", took === null || took === undefined ? "no end known" : lasted(took),
      [facts.outcome[outcome] ?? "in flight", errorClass === null || errorClass === undefined ? null : facts.class[errorClass]].filter(Boolean).join(", "), http ?? "", message ?? "",
    ]);
    const table = element("table", { class: "calls" },
      element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, lines.map((cells) => element("tr", {}, cells.map((cell) => element("td", {}, String(cell)))))));
    return [title, table];
  }

  function toggle(number) {
    if (!state.opened.delete(number)) state.opened.add(number);
    show();
    const button = document.querySelector(`tr[data-number="${number}"] button.opener`);
    if (button) button.focus({ preventScroll: true });
  }

  function order(id) {
    const isNumber = columns.find((column) => column.id === id).isNumber;
    if (state.column !== id) Object.assign(state, { column: id, isDescending: isNumber });
    else if (state.isDescending === isNumber) state.isDescending = !isNumber;
    else Object.assign(state, { column: null, isDescending: false });
    for (const column of columns) {
      column.head.setAttribute("aria-sort", column.id !== state.column ? "none" : state.isDescending ? "descending" : "ascending");
    }
    find();
  }

  function pick({ statuses = null, errorClass = null, query = null }) {
    if (statuses !== null) state.statuses = new Set(statuses);
    state.errorClass = errorClass;
    if (query !== null) {
      byId("search").value = query;
      state.words = query.toLowerCase().split(/\s+/).filter(Boolean);
    }
    chips();
    find();
  }

  function chips() {
    const there = facts.status.filter((status) => document.querySelector(`.tile[data-status="${status}"]`));
    const made = there.length < 2 ? [] : there.map((status) => {
      const chip = element("button", { type: "button", class: `chip tone-${facts.marks[status][1]}`, "aria-pressed": state.statuses.has(status), "data-status": status }, `${facts.marks[status][0]} ${status.replace("_", " ")}`);
      chip.addEventListener("click", () => {
        const wanted = new Set(state.statuses);
        if (!wanted.delete(status)) wanted.add(status);
        pick({ statuses: wanted, errorClass: state.errorClass });
        byId("chips").querySelector(`[data-status="${status}"]`).focus();
      });
      return chip;
    });
    if (state.errorClass !== null) {
      const chip = element("button", { type: "button", class: "chip", "aria-pressed": "true" }, `error class ${state.errorClass} ✕`);
      chip.addEventListener("click", () => pick({}));
      made.push(chip);
    }
    byId("chips").replaceChildren(...made);
  }

  function open(ip) {
    pick({ statuses: [], query: ip });
    const row = shown.find((one) => get(one, "ip") === ip);
    if (row) {
      state.opened = new Set([row[0]]);
      show();
    }
    byId("items").scrollIntoView();
  }

  function startPrinting() {
    let before = null;
    window.addEventListener("beforeprint", () => {
      before = [state.first, state.length];
      Object.assign(state, { first: 0, length: PRINTED });
      show();
      byId("print-note").textContent = shown.length > PRINTED ? `The first ${count(PRINTED)} of ${count(shown.length)} items; every row is in the csv and jsonl reports.` : "";
    });
    window.addEventListener("afterprint", () => {
      if (before !== null) [state.first, state.length] = before;
      before = null;
      show();
    });
  }

  function startCourses() {
    const holder = byId("course");
    if (!holder) return;
    const withCourse = rows.filter((row) => get(row, "course") !== null)
      .sort((one, other) => KEYS.in(other) + KEYS.out(other) - KEYS.in(one) - KEYS.out(one)).slice(0, 300);
    const isAll = facts.course[0].length > 1;
    if (!isAll && !withCourse.length) return;
    byId("course-block").hidden = false;
    const select = byId("course-of");
    select.append(...(isAll ? [element("option", { value: "all" }, "all together")] : []));
    select.append(...withCourse.map((row, at) => element("option", { value: at }, get(row, "ip"))));
    const draw = () => charts.course(holder, byId("course-reading"), select.value === "all" ? facts.course : courseOf(withCourse[Number(select.value)]));
    select.addEventListener("change", draw);
    byId("course-block").insertBefore(charts.courseLegend(), holder);
    draw();
  }

  function start() {
    byId("browser").hidden = false;
    let timer = 0;
    byId("search").addEventListener("input", (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => pick({ errorClass: state.errorClass, query: event.target.value }), 120);
    });
    columns.forEach(({ id, head }) => head.querySelector("button").addEventListener("click", () => order(id)));
    byId("rows-shown").addEventListener("click", (event) => {
      const opener = event.target.closest("button.opener");
      if (opener) toggle(Number(opener.closest("tr").dataset.number));
    });
    byId("previous").addEventListener("click", () => { state.first = Math.max(0, state.first - state.length); show(); });
    byId("next").addEventListener("click", () => { state.first += state.length; show(); });
    document.querySelectorAll(".tile").forEach((tile) => tile.addEventListener("click", () => {
      pick({ statuses: [tile.dataset.status] });
      byId("items").scrollIntoView();
    }));
    document.querySelectorAll("button[data-class]").forEach((button) => button.addEventListener("click", () => {
      pick({ statuses: [], errorClass: button.dataset.class });
      byId("items").scrollIntoView();
    }));
    document.querySelectorAll("button[data-ip]").forEach((button) => button.addEventListener("click", () => open(button.dataset.ip)));
    startPrinting();
    chips();
    find();
    startCourses();
  }

  return { start };
})();
