# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.
"""The script of the page. It makes elements and sets their text: no data becomes markup, and no link is but https."""

from __future__ import annotations

SCRIPT = r"""
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const page = document.getElementById("page");
const SVG = "http://www.w3.org/2000/svg";
const collator = new Intl.Collator("en", { numeric: true });

// Elements

function make(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}
function put(parent, ...children) {
  parent.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return parent;
}
function link(url, text, name) {
  const safe = typeof url === "string" && url.startsWith("https://");
  const made = make(safe ? "a" : "span", name, text);
  if (safe) { made.href = url; made.rel = "noreferrer"; }
  return made;
}
function drawn(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Words

function clock(ago) {
  return new Date((data.time - ago) * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC";
}
function some(number, unit) { return number + " " + unit + (number === 1 ? "" : "s"); }
function span(seconds) {
  if (seconds < 60) return some(Math.max(0, Math.floor(seconds)), "second");
  if (seconds < 3600) return some(Math.floor(seconds / 60), "minute");
  if (seconds < 172800) return some(Math.floor(seconds / 3600), "hour");
  return some(Math.floor(seconds / 86400), "day");
}
function short(seconds) {
  if (seconds < 60) return Math.floor(seconds) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min";
  if (seconds < 172800) return Math.floor(seconds / 3600) + " h";
  return Math.floor(seconds / 86400) + " d";
}
function since(ago, words) {
  const made = make("span", "age", words || span(ago));
  made.title = clock(ago);
  return made;
}
function full(id) {
  return /^[0-9a-f]{32}$/.test(id) ? id.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5") : id;
}
function address(stack, run) {
  if (run[5]) return run[5];
  const [base, query] = (stack.u || "").split("/view?");
  return base + "/executions/" + encodeURIComponent(full(run[1])) + "/timeline?" + query;
}

// What a stack is like

const FLAG = Object.fromEntries(data.flags.map(([name], index) => [name, index]));
const has = (stack, flag) => (stack.f || []).includes(FLAG[flag]);
const runs = (stack) => stack.x || [];
const last = (stack) => (stack.i === undefined ? null : runs(stack)[runs(stack).length - 1 - stack.i]);
const over = (run) => Math.max(0, run[2] - (run[3] || 0));
const urgency = (stack) => Math.min(data.flags.length, ...(stack.f || []));

function said(run) {
  const parts = [data.results[run[0]][1]];
  if (run[2] !== null) parts.push(clock(run[2]));
  if (run[3] !== null) parts.push("took " + span(run[3]));
  if (run[4]) parts.push("commit " + run[4]);
  return parts.join(", ");
}

function strip(stack) {
  const made = document.createDocumentFragment();
  const all = runs(stack);
  all.forEach((run, index) => {
    const cell = link(address(stack, run), undefined, "run " + data.results[run[0]][0]);
    cell.title = said(run);
    // One stop for the Tab key; the arrow keys go from run to run.
    if (index < all.length - 1) cell.tabIndex = -1;
    made.append(cell);
  });
  return made;
}
document.addEventListener("keydown", (event) => {
  const cell = event.target.closest && event.target.closest(".run");
  if (!cell) return;
  const all = [...cell.parentNode.children];
  const now = all.indexOf(cell);
  const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = all[Math.min(all.length - 1, Math.max(0, to))];
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

function durations(stack) {
  return runs(stack).filter((run) => run[3] !== null && ["succeeded", "failed"].includes(data.results[run[0]][0]));
}
function trend(stack) {
  const all = durations(stack);
  const wide = 84, high = 24, room = 3;
  // By their logarithm: a run may wait for its approval for days.
  const scaled = all.map((run) => Math.log10(run[3] + 10));
  const low = Math.min(...scaled), top = Math.max(...scaled);
  const y = (value) => (top - low < 0.05 ? high / 2 : high - room - ((value - low) / (top - low)) * (high - 2 * room));
  const x = (index) => (all.length === 1 ? wide - room : room + (index / (all.length - 1)) * (wide - 2 * room));
  const picture = drawn("svg", { viewBox: "0 0 " + wide + " " + high, width: wide, height: high, role: "img" });
  const lengths = all.map((run) => run[3]).sort((one, other) => one - other);
  const middle = lengths[Math.floor(lengths.length / 2)];
  const newest = all[all.length - 1];
  const words = "From start to end: last " + span(newest[3]) + ", median " + span(middle) + " of "
    + some(all.length, "run");
  picture.append(drawn("title", {}));
  picture.firstChild.textContent = words;
  const points = scaled.map((value, index) => x(index).toFixed(1) + " " + y(value).toFixed(1));
  if (all.length > 1) {
    picture.append(drawn("path", { d: "M" + points.join("L") + "V" + high + "H" + room + "Z", class: "area" }));
    picture.append(drawn("path", { d: "M" + points.join("L"), class: "line" }));
  }
  picture.append(drawn("circle", { cx: x(all.length - 1), cy: y(scaled[scaled.length - 1]), r: 2.5, class: "dot" }));
  return [picture, make("span", "soft", short(newest[3]))];
}

function badge(name, words) {
  return put(make("span", "badge " + name), make("span", "run " + name), words);
}
// A long text is folded to its first lines until somebody wants all of it.
function why(text) {
  if (text.length < 120) return make("p", "detail bad", text);
  return put(make("details", "detail bad why"), put(make("summary", "reason"), make("span", "folded", text)));
}
function unknown(cell, reason) {
  if (!reason) return put(cell, make("span", "soft", "not known"));
  const folded = put(make("details", "unknown"), make("summary", "soft", "not known"));
  return put(cell, put(folded, make("p", "detail", reason)));
}
function result(stack, cell) {
  if (stack.w) return put(cell, badge("unknown", "not known"), why(stack.w));
  const run = last(stack), all = runs(stack), newest = all[all.length - 1];
  if (!newest) return put(cell, badge("never", "never ran"));
  const waits = all.find((each) => data.results[each[0]][0] === "waiting");
  const now = waits || newest, going = data.results[now[0]];
  const first = make("p", "first");
  if (run) {
    put(first, badge(...data.results[run[0]]));
    if (run[2] !== null) put(first, since(over(run), short(over(run)) + " ago"));
  }
  if (now !== run && ["running", "waiting"].includes(going[0])) put(first, badge(...going));
  put(cell, first);
  if (stack.m) {
    const message = make("p", "detail soft line", stack.m);
    message.title = stack.m;
    put(cell, message);
  }
  if (stack.e) put(cell, why(stack.e));
  return cell;
}
function approval(stack, cell) {
  if (!stack.a) return cell;
  const waits = put(make("p", "detail soft"), "for ", since(stack.a.t || 0));
  return put(cell, link(stack.a.u, "Review", "strong"), waits);
}
function lock(stack, cell) {
  if (!stack.l) return cell;
  if (stack.l.s === "unknown") return unknown(cell, stack.l.w);
  const age = make("p", "detail soft");
  put(age, stack.l.o ? stack.l.o + ", " : "", stack.l.t === undefined ? "nobody knows since when" : since(stack.l.t));
  return put(cell, make("span", "who", stack.l.p || "nobody knows whom"), age);
}
function drift(stack, cell) {
  const found = stack.d || { s: "off" };
  const hint = [found.e, found.k === undefined ? "" : "looked " + clock(found.k), found.w].filter(Boolean).join(". ");
  if (found.s === "unknown") return unknown(cell, found.w);
  const words = { off: "", never: "not looked yet", running: "looking" }[found.s];
  if (words !== undefined) {
    if (words) { const made = make("span", "soft", words); made.title = hint; put(cell, made); }
    return cell;
  }
  const number = found.c || 0;
  const made = link(found.u, number ? some(number, "resource") : "none", number ? "strong warn" : "soft");
  made.title = hint;
  put(cell, made);
  const detail = make("p", "detail soft");
  if (number && found.t !== undefined) put(detail, found.z ? "for at least " : "for ", since(found.t));
  if (found.g) put(detail, (detail.textContent ? ", " : "") + found.g + " ignored");
  if (found.o) put(detail, (detail.textContent ? ", " : "") + "looked " + span(found.k) + " ago");
  return put(cell, detail.textContent ? detail : null);
}

// Tables

// What is costly is shown late: at once in the first rows, elsewhere when the browser has nothing else to do. Of more
// rows than the limit, if there is one, the others are folded until somebody wants to see them.
const FIRST = 30;

function table(id, label, columns, items, limit) {
  const made = make("table");
  made.id = id;
  made.setAttribute("role", "table");
  made.setAttribute("aria-label", label);
  const head = make("thead"), line = make("tr"), body = make("tbody");
  head.setAttribute("role", "rowgroup"); body.setAttribute("role", "rowgroup"); line.setAttribute("role", "row");
  const heads = columns.map((column) => {
    const cell = make("th", column.name);
    cell.scope = "col";
    cell.setAttribute("role", "columnheader");
    if (column.by) {
      cell.setAttribute("aria-sort", "none");
      const button = put(make("button", "sort", column.title), make("span", "arrow"));
      button.type = "button";
      button.addEventListener("click", () => {
        sort(column, cell.getAttribute("aria-sort") === (column.down ? "descending" : "ascending"));
      });
      put(cell, button);
    } else put(cell, column.title);
    return put(line, cell) && cell;
  });
  let whole = !limit || items.length <= limit;
  const rows = items.map((item) => {
    const late = [];
    const row = make("tr");
    row.setAttribute("role", "row");
    columns.forEach((column, index) => {
      const cell = make(index ? "td" : "th", column.name);
      cell.setAttribute("role", index ? "cell" : "rowheader");
      if (!index) cell.scope = "row";
      cell.dataset.label = column.title;
      column.show(item, cell, (work) => late.push(work));
      if (!cell.firstChild) put(cell, make("span", "none", "\u2013")).classList.add("empty");
      row.append(cell);
    });
    return { item, row, late };
  });
  function fill(number) {
    let left = number;
    for (const each of rows) {
      if (!left) return;
      if (each.row.hidden || !each.late.length) continue;
      for (const work of each.late.splice(0)) work();
      left -= 1;
    }
  }
  function fold() {
    if (limit) rows.forEach((each, index) => { each.row.hidden = !whole && index >= limit; });
  }
  const more = whole ? null : make("button", "more", "Show all " + items.length);
  if (more) {
    more.type = "button";
    more.addEventListener("click", () => { whole = true; more.remove(); fold(); });
  }
  put(made, put(head, line), body);
  body.append(...rows.map((each) => each.row));

  function compare(by, one, other) {
    const left = by(one.item), right = by(other.item);
    if (left === null || right === null) return (left === null) - (right === null);  // nothing comes last
    return typeof left === "string" ? collator.compare(left, right) : left - right;
  }
  function sort(column, turned) {
    const up = (!column.down) !== Boolean(turned);
    heads.forEach((cell, index) => {
      if (!columns[index].by) return;
      const here = columns[index] === column;
      cell.setAttribute("aria-sort", here ? (up ? "ascending" : "descending") : "none");
    });
    const by = column.by;
    rows.sort((one, other) => {
      const left = by(one.item), right = by(other.item);
      const order = compare(by, one, other);
      return (left === null || right === null || up ? order : -order) || compare(columns[0].by, one, other);
    });
    fold();
    body.append(...rows.map((each) => each.row));
    fill(FIRST);
  }
  fold();
  return { made, rows, sort, fill, more };
}

// The head of the page

document.title = data.name + ": the estate at a glance";
page.textContent = "";
const header = make("header");
put(header, make("p", "over", "The estate at a glance"), make("h1", "", data.name));
put(header, make("p", "soft", "Account " + data.account + " \u00b7 " + data.region + " \u00b7 as of " + clock(0)));
put(page, header);

if (data.problems.length) {
  const notice = make("details", "notice");
  put(notice, make("summary", "", "Not all is known: " + some(data.unread, "thing") + " could not be read"));
  const list = make("ul");
  for (const each of data.problems) put(list, make("li", "", each));
  put(notice, list);
  const left = data.unread - data.problems.length;
  if (left) put(notice, make("p", "soft", left + " more are in estate.json."));
  put(page, notice);
}

const chosen = new Set();
const tiles = make("div", "tiles");
tiles.setAttribute("role", "group");
tiles.setAttribute("aria-label", "Show only stacks that are");
const SIGN = { failing: "failed", waiting: "waiting", running: "running", never: "superseded", locked: "locked",
  drifting: "drifting", unknown: "unknown" };
for (const [flag, title] of data.flags) {
  const number = data.counts[flag];
  if (!number && ["unknown", "never", "running"].includes(flag)) continue;
  const tile = make("button", "tile " + flag + (number ? "" : " zero"));
  tile.type = "button";
  tile.dataset.flag = flag;
  tile.disabled = !number;
  tile.setAttribute("aria-pressed", "false");
  const label = put(make("span", "label"), make("span", "run " + SIGN[flag]), title);
  put(tile, make("span", "number", data.unseen.includes(flag) ? "?" : String(number)), label);
  tile.addEventListener("click", () => {
    chosen[chosen.has(flag) ? "delete" : "add"](flag);
    tile.setAttribute("aria-pressed", String(chosen.has(flag)));
    filter();
  });
  put(tiles, tile);
}
if (data.findings) {
  const tile = make("a", "tile findings" + (data.counts.findings ? "" : " zero"));
  tile.href = "#findings";
  const number = ["unknown", "never"].includes(data.findings.state) ? "?" : String(data.counts.findings);
  put(tile, make("span", "number", number), put(make("span", "label"), make("span", "run unmanaged"), "Findings"));
  put(tiles, tile);
}
put(page, tiles);

// The stacks

const columns = [
  { name: "stack", title: "Stack", by: (stack) => stack.n,
    show: (stack, cell) => {
      put(cell, link(stack.u, stack.n, "strong"));
      if (stack.r) put(cell, make("p", "detail soft line", stack.r)).lastChild.title = stack.r;
    } },
  { name: "runs", title: "Runs", down: true,
    by: (stack) => runs(stack).filter((run) => data.results[run[0]][0] === "failed").length,
    show: (stack, cell, later) => {
      if (!runs(stack).length) return;
      const made = make("div", "strip");
      made.setAttribute("role", "group");
      made.setAttribute("aria-label", "Runs of " + stack.n + ", the newest on the right");
      put(cell, made);
      later(() => made.append(strip(stack)));
    } },
  { name: "duration", title: "Duration", down: true,
    by: (stack) => { const all = durations(stack); return all.length ? all[all.length - 1][3] : null; },
    show: (stack, cell, later) => {
      if (!durations(stack).length) return;
      const made = make("div", "trend");
      put(cell, made);
      later(() => made.append(...trend(stack)));
    } },
  { name: "last", title: "Last result",
    by: (stack) => (last(stack) ? over(last(stack)) : null), show: result },
  { name: "approval", title: "Approval", down: true, by: (stack) => (stack.a ? stack.a.t || 0 : null), show: approval },
  { name: "lock", title: "Lock", down: true, by: (stack) => (stack.l ? stack.l.t || 0 : null), show: lock },
  { name: "drift", title: "Drift", down: true, by: (stack) => (stack.d && stack.d.c !== undefined ? stack.d.c : null),
    show: drift },
];
const stacks = table("stacks", "Stacks", columns, data.stacks);
for (const each of stacks.rows) {
  each.text = [each.item.n, each.item.r, each.item.m, each.item.e, each.item.l && each.item.l.p, each.item.w]
    .filter(Boolean).join("\n").toLowerCase();
}

const form = make("form", "tools");
const search = make("input"), order = make("select"), count = make("output", "soft");
search.type = "search"; search.id = "text"; search.name = "text"; search.autocomplete = "off";
order.id = "order"; order.name = "order";
const searching = make("label", "", "Filter"), ordering = make("label", "", "Sort by");
searching.htmlFor = "text"; ordering.htmlFor = "order";
put(order, new Option("What needs somebody", ""));
columns.forEach((column, index) => put(order, new Option(column.title, String(index))));
count.setAttribute("aria-live", "polite");
put(form, put(make("div", "field"), searching, search), put(make("div", "field"), ordering, order), count);
form.addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", filter);
const attention = { by: urgency };
order.addEventListener("change", () => stacks.sort(order.value === "" ? attention : columns[Number(order.value)]));
stacks.made.addEventListener("click", (event) => {
  const head = event.target.closest("thead th");
  if (head) order.value = String([...head.parentNode.children].indexOf(head));
});

const legend = make("p", "legend soft");
for (const [name, meaning] of data.results) put(legend, put(make("span", "key"), make("span", "run " + name), meaning));
const nothing = make("p", "nothing soft", data.stacks.length ? "No stack is like that." : "There are no stacks.");
nothing.hidden = true;
const section = make("section");
section.setAttribute("aria-label", "Stacks");
const around = put(make("div", "around"), stacks.made, nothing);
put(page, put(section, form, around, legend));

function filter() {
  const text = search.value.trim().toLowerCase();
  let shown = 0;
  for (const each of stacks.rows) {
    const wanted = !chosen.size || [...chosen].some((flag) => has(each.item, flag));
    const hidden = !wanted || (text !== "" && !each.text.includes(text));
    each.row.hidden = hidden;
    shown += hidden ? 0 : 1;
  }
  nothing.hidden = shown > 0;
  stacks.fill(FIRST);
  count.value = (shown === stacks.rows.length ? "" : shown + " of ") + some(stacks.rows.length, "stack");
}
filter();

// What the code does not explain

if (data.findings) {
  const found = data.findings;
  const part = make("section", "found");
  part.id = "findings";
  const title = make("h2", "", "What the code does not explain");
  title.id = "findings-title";
  part.setAttribute("aria-labelledby", title.id);
  put(part, title, put(make("p", "soft"), found.line + " ", found.url ? link(found.url, "The scan") : null));
  if (found.approval) put(part, put(make("p"), link(found.approval, "A plan of removal waits for approval", "strong")));
  if (found.items.length) {
    const AGE = { name: "since", title: "Age", down: true, by: (item) => item[5],
      show: (item, cell) => put(cell, item[5] === null ? null : since(item[5])) };
    const listed = table("unmanaged", "Findings", [
      { name: "what", title: "Resource", by: (item) => item[2] || item[3],
        show: (item, cell) => {
          const called = make("span", "strong", item[2] || item[3]);
          called.title = item[3];
          put(cell, called, make("p", "detail soft", item[1]));
        } },
      { name: "kind", title: "Kind", by: (item) => item[0], show: (item, cell) => put(cell, item[0]) },
      { name: "region", title: "Region", by: (item) => item[4] || null, show: (item, cell) => put(cell, item[4]) },
      AGE,
      { name: "known", title: "What is known", by: (item) => item[6] || null,
        show: (item, cell) => put(cell, make("span", "soft", item[6])) },
    ], found.items, 12);
    listed.sort(AGE);
    put(part, put(make("div", "around"), listed.made, listed.more));
    if (found.more) put(part, make("p", "soft", found.more + " more are in estate.json."));
  }
  if (found.coverage.length) {
    put(part, make("h3", "", "Coverage"));
    for (const [name, lines, whole] of found.coverage) {
      const list = make("ul");
      for (const each of lines) put(list, make("li", "", each));
      const folded = put(make("details"), make("summary", "", name + " (" + whole + ")"), list);
      if (whole > lines.length) put(folded, make("p", "soft", whole - lines.length + " more are in estate.json."));
      put(part, folded);
    }
  }
  put(page, part);
}
document.documentElement.dataset.ready = "true";
window.addEventListener("beforeprint", () => stacks.fill(Infinity));
// A browser may never call itself idle: nobody waits for it longer than this.
function idle(work) {
  if (window.requestIdleCallback) window.requestIdleCallback(work, { timeout: 200 });
  else setTimeout(work, 20);
}
(function rest() {
  for (const each of stacks.rows.filter((row) => row.late.length).slice(0, 100)) {
    for (const work of each.late.splice(0)) work();
  }
  if (stacks.rows.some((each) => each.late.length)) idle(rest);
  else document.documentElement.dataset.whole = "true";
}).call();
"""
