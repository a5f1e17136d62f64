# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.
"""The style of the page: calm, with the fonts of the system, light and dark, from a phone to a wall."""

from __future__ import annotations

STYLE = r"""
:root { color-scheme: light dark; --back: #f5f6f8; --card: #fff; --text: #16191d; --soft: #5a636d; --line: #e1e5e9;
  --hover: #f8f9fb; --link: #0b57b0; --bad: #b42318; --warn: #8a5300; --good: #1d7f4f; --on: #fff;
  --c-good: #2f9e68; --c-same: #cfe9db; --c-same-edge: #6fb892; --c-bad: #c8372d; --c-wait: #f3bd4a; --c-run: #2b6fd3;
  --c-stop: #8b949e; --c-over: #dfe3e8; --ink: #2a2110; --c-over-ink: #4d565f; --line-trend: #5b7fb4;
  --area: #5b7fb41f; --shadow: 0 1px 2px #10182814; }
@media screen and (prefers-color-scheme: dark) { :root {
  --back: #0f1215; --card: #171b1f; --text: #e7eaee; --soft: #9ba6b1;
  --line: #2a3138; --hover: #1c2126; --link: #8fbcf7; --bad: #ff9188; --warn: #f2bb62; --good: #79d3a1; --on: #fff;
  --c-good: #2f9461; --c-same: #1c3a2b; --c-same-edge: #3f8a63; --c-bad: #c9443a; --c-wait: #e0a93a; --c-run: #3a7bdc;
  --c-stop: #69737d; --c-over: #333b43; --c-over-ink: #c3cad1; --line-trend: #8fb0e0; --area: #8fb0e01f;
  --shadow: none; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--back); color: var(--text); overflow-wrap: anywhere; font: 14px/1.45 system-ui,
  -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1360px; margin: 0 auto; padding: 28px 24px 64px; }
p, h1, h2, h3 { margin: 0; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.soft { color: var(--soft); } .bad { color: var(--bad); } .warn { color: var(--warn); } .strong { font-weight: 600; }
a.strong, a.soft { text-decoration: none; } a.strong:hover, a.soft:hover { text-decoration: underline; }
.none { color: var(--soft); opacity: .55; }

.over { color: var(--soft); font-size: 12px; letter-spacing: .06em; text-transform: uppercase; font-weight: 600; }
h1 { font-size: 28px; line-height: 1.2; letter-spacing: -.015em; margin: 2px 0; }
h2 { font-size: 18px; letter-spacing: -.01em; margin-bottom: 4px; } h3 { font-size: 14px; margin: 20px 0 6px; }
.notice { margin: 16px 0 0; padding: 10px 14px; background: var(--card); border: 1px solid var(--line);
  border-left: 4px solid var(--c-wait); border-radius: 8px; }
.notice ul { margin: 8px 0 0; padding-left: 18px; } summary { cursor: pointer; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; }
.tile { display: flex; flex-direction: column; align-items: flex-start; gap: 4px; padding: 14px 16px; font: inherit;
  color: inherit; text-align: left; text-decoration: none; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; box-shadow: var(--shadow); cursor: pointer; }
.tile:hover:not(:disabled) { border-color: var(--soft); } .tile:disabled { cursor: default; }
.tile[aria-pressed=true] { border-color: var(--link); box-shadow: inset 0 0 0 1px var(--link); }
.number { font-size: 28px; line-height: 1.1; font-weight: 650; letter-spacing: -.02em; }
.label { display: flex; align-items: center; gap: 7px; color: var(--soft); }
.zero .number { color: var(--soft); font-weight: 500; }
.tile .run, .key .run, .badge .run { pointer-events: none; }
.zero .run { filter: grayscale(1); opacity: .5; }

.tools { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 20px; margin: 0 0 12px; }
.field { display: flex; align-items: center; gap: 8px; } label { color: var(--soft); white-space: nowrap; }
input, select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft); min-height: 34px;
  border-radius: 7px; padding: 5px 10px; } input { width: 260px; max-width: 100%; } output { margin-left: auto; }

.around { background: var(--card); border: 1px solid var(--line); border-radius: 10px; box-shadow: var(--shadow); }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: 11px 12px; font-weight: 400; }
tbody tr { border-top: 1px solid var(--line); } tbody tr:hover { background: var(--hover); }
tr[hidden] { display: none; } .nothing { padding: 20px 16px; }
thead th { position: sticky; top: 0; z-index: 1; background: var(--card); padding: 8px 12px; color: var(--soft);
  box-shadow: inset 0 -1px var(--line); }
thead th:first-child { border-top-left-radius: 10px; } thead th:last-child { border-top-right-radius: 10px; }
.sort { font: inherit; font-size: 12.5px; font-weight: 600; color: inherit; background: none; border: 0; margin: 0 -6px;
  padding: 4px 6px; border-radius: 5px; cursor: pointer; white-space: nowrap; } .sort:hover { color: var(--text); }
.arrow::after { content: "\2195" / ""; opacity: .35; margin-left: 4px; }
[aria-sort=ascending] .sort, [aria-sort=descending] .sort { color: var(--text); }
[aria-sort=ascending] .arrow::after { content: "\2191" / ""; opacity: 1; }
[aria-sort=descending] .arrow::after { content: "\2193" / ""; opacity: 1; }
th.stack { width: 15%; } th.runs { width: 314px; } th.duration { width: 170px; } th.approval { width: 9%; }
th.lock { width: 12%; } th.drift { width: 9%; }
.more { display: block; width: 100%; padding: 11px; font: inherit; font-weight: 600; color: var(--link);
  cursor: pointer; background: none; border: 0; border-top: 1px solid var(--line); border-radius: 0 0 10px 10px; }
.detail { font-size: 12.5px; line-height: 1.4; margin-top: 2px; }
.line { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.folded { display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden; }
.why summary { display: flex; gap: 6px; } .why summary::before { content: "\25b8" / ""; flex: none; }
.why[open] summary::before { content: "\25be" / ""; } .why[open] .folded { display: block; }

.strip { display: flex; gap: 2px; height: 24px; align-items: stretch; contain: layout size; }
.run { display: inline-grid; place-items: center; flex: none; width: 13px; height: 13px; border-radius: 3px;
  text-decoration: none; font: 700 11px/1 ui-sans-serif, system-ui, sans-serif; color: var(--on);
  background: var(--c-over); }
.strip .run { width: 12.4px; height: 24px; } .strip a.run:hover { filter: brightness(1.15); }
.strip .run:focus-visible { outline-offset: 1px; z-index: 1; }
.run.succeeded { background: var(--c-good); }
.run.unchanged { background: var(--c-same); box-shadow: inset 0 0 0 1px var(--c-same-edge); }
.run.failed { background: var(--c-bad); }
.run.failed::before { content: "\00d7"; content: "\00d7" / ""; font-size: 14px; }
.run.waiting { background: var(--c-wait); color: var(--ink); }
.run.waiting::before { content: "?"; content: "?" / ""; }
.run.running { background: var(--c-run); } .run.running::before { content: "\203a"; content: "\203a" / "";
  font-size: 14px; }
.run.stopped { background: var(--c-stop); } .run.stopped::before { content: "\2013"; content: "\2013" / ""; }
.run.postponed, .run.superseded, .run.never { color: var(--c-over-ink); }
.run.postponed::before { content: "~"; content: "~" / ""; }
.run.superseded::before, .run.never::before { content: "\00b7"; content: "\00b7" / ""; }
.run.locked { background: var(--c-run); } .run.locked::before { content: "\2022"; content: "\2022" / ""; }
.run.drifting { background: var(--c-wait); color: var(--ink); }
.run.drifting::before { content: "\2260"; content: "\2260" / ""; }
.run.unknown { background: var(--c-stop); } .run.unknown::before { content: "?"; content: "?" / ""; }
.run.unmanaged { background: none; box-shadow: inset 0 0 0 2px var(--c-wait); }

.badge { display: inline-flex; align-items: center; gap: 6px; font-weight: 600; }
.badge.failed { color: var(--bad); } .badge.succeeded, .badge.unchanged { color: var(--good); }
.badge.waiting { color: var(--warn); } .badge.running { color: var(--link); }
.first { display: flex; flex-wrap: wrap; gap: 2px 8px; }
.badge.stopped, .badge.unknown, .badge.never { color: var(--soft); } .age { color: var(--soft); }
.trend { display: flex; align-items: center; gap: 2px 8px; flex-wrap: wrap; min-height: 24px; white-space: nowrap; }
.trend svg { display: block; overflow: visible; }
.trend .soft { font-size: 12.5px; line-height: 1; }
.trend .line { fill: none; stroke: var(--line-trend); stroke-width: 1.5; stroke-linejoin: round; }
.trend .area { fill: var(--area); } .trend .dot { fill: var(--line-trend); }
.who { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 12.5px; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 12px 2px 0; font-size: 12.5px; }
.key { display: inline-flex; align-items: center; gap: 6px; }
.found { margin-top: 40px; scroll-margin-top: 16px; } .found > p { margin-bottom: 12px; }
.found details { margin: 4px 0; } .found ul { margin: 6px 0; padding-left: 20px; }
th.what { width: 30%; } th.kind { width: 15%; } th.region { width: 12%; } th.since { width: 11%; }

@media (min-width: 861px) { .field:nth-child(2) { display: none; } }
@media (max-width: 1180px) and (min-width: 861px) { th.runs { width: 190px; } .strip { overflow: hidden;
  justify-content: flex-end; } th.duration { width: 118px; } th, td { padding-inline: 8px; } }
@media (max-width: 860px) {
  main { padding: 20px 14px 48px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; } .tile { padding: 10px 12px; }
  .number { font-size: 24px; }
  .field { flex: 1 1 100%; } .field label { width: 56px; } input, select { flex: 1; width: auto; min-width: 0;
  min-height: 40px; font-size: 16px; } output { margin: 0; }
  .around { background: none; border: 0; box-shadow: none; border-radius: 0; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody { display: block; }
  tbody tr { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px 14px; padding: 14px;
  margin-bottom: 10px; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  box-shadow: var(--shadow); } tbody tr:hover { background: var(--card); }
  tbody tr th, tbody tr td { display: block; padding: 0; width: auto; } .empty { display: none; }
  tbody th.stack, tbody th.what, td.runs, td.last, td.known { grid-column: 1 / -1; width: auto; }
  td.last { grid-row: 2; } td.runs { grid-row: 3; }
  td.duration, td.approval, td.lock, td.drift, td.kind, td.region, td.since { width: auto; }
  td.duration::before, td.approval::before, td.lock::before, td.drift::before, td.since::before { display: block;
  content: attr(data-label); color: var(--soft); font-size: 12px; margin-bottom: 2px; }
  tbody th .strong { font-size: 16px; } .strip .run { flex: 1 1 0; width: auto; max-width: 22px; }
}
@media (forced-colors: active) { .run { forced-color-adjust: none; } }
@media print { :root { color-scheme: light; } body { background: #fff; } .tools { display: none; }
  tr { break-inside: avoid; } .run { print-color-adjust: exact; } .folded { display: block; } }
"""
