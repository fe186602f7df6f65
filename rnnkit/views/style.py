"""How a report looks: the colours of figures and page, and the style sheet.

Figures on pages are drawn in stand-in colours that become CSS variables, so that one SVG serves
light and dark pages and paper. Pictures that are files of their own are drawn in real ones.
"""

from dataclasses import dataclass

INK = "#0a0b01"
MUTED = "#0a0b02"
GRID = "#0a0b03"
SURFACE = "#0a0b04"
SERIES = ("#0a0b11", "#0a0b12", "#0a0b13", "#0a0b14", "#0a0b15", "#0a0b16")
"""Colours of curves, in order of use; distinguishable without colour vision by lightness too."""


@dataclass(frozen=True)
class Palette:
    """The colours that a figure is painted in."""

    ink: str
    muted: str
    grid: str
    surface: str
    series: tuple[str, ...]


ON_PAGE = Palette(ink=INK, muted=MUTED, grid=GRID, surface=SURFACE, series=SERIES)
"""Stand-ins, for `canvas.draw`."""

ON_PAPER = Palette(
    ink="#1b1d22",
    muted="#5b606b",
    grid="#e3e3df",
    surface="#ffffff",
    series=("#1f5fa8", "#c4560b", "#1f7a54", "#8d3f9e", "#8a6d00", "#b3264a"),
)
"""The light colours of the style sheet, for `canvas.draw_png`."""

DIVERGING = ("#2166ac", "#ffffff", "#d95f02")
"""Blue below zero, orange above: told apart with any colour vision. For pictures of their own."""

VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    SURFACE: "var(--surface)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES, start=1)},
}
"""What stands in a finished figure instead of a stand-in."""

STYLE_SHEET = """\
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --surface: #ffffff; --ink: #1b1d22; --muted: #5b606b; --grid: #e3e3df;
  --line: #d9d9d4; --accent: #1f5fa8; --accent-tint: 31 95 168; --warn: #8a4b00;
  --warn-surface: #fff4e0;
  --series-1: #1f5fa8; --series-2: #c4560b; --series-3: #1f7a54; --series-4: #8d3f9e;
  --series-5: #8a6d00; --series-6: #b3264a;
  --mono: ui-monospace, "SFMono-Regular", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas,
    monospace;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --surface: #1c1f25; --ink: #e9eaee; --muted: #a3a9b5; --grid: #333842;
    --line: #383d48; --accent: #7db4f2; --accent-tint: 98 160 234; --warn: #ffc978;
    --warn-surface: #2e2413;
    --series-1: #7db4f2; --series-2: #f79a54; --series-3: #62c99a; --series-4: #d294e0;
    --series-5: #dcc04a; --series-6: #f58aa5;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans",
    "DejaVu Sans", sans-serif;
}
.wrap { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
p, li, dd, figcaption, caption, summary { overflow-wrap: anywhere; }
a { color: var(--accent); text-underline-offset: 2px; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px;
}
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; background: var(--surface); padding: 6px 10px; z-index: 2; }
header { padding: 40px 0 8px; }
.eyebrow {
  margin: 0; color: var(--muted); font-size: .8125rem; font-weight: 600; letter-spacing: .06em;
  text-transform: uppercase;
}
h1 {
  margin: 4px 0 6px; font-size: clamp(1.6rem, 4.5vw, 2.3rem); line-height: 1.15;
  letter-spacing: -.015em; overflow-wrap: anywhere;
}
.facts { margin: 0; color: var(--muted); overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 1.35rem; letter-spacing: -.01em; line-height: 1.25; }
h2 + div { margin-top: 12px; }
h3 { margin: 28px 0 8px; font-size: 1.02rem; line-height: 1.3; }
nav { border-bottom: 1px solid var(--line); margin-top: 22px; }
nav ul {
  display: flex; flex-wrap: wrap; gap: 4px 22px; list-style: none; margin: 0; padding: 0 0 10px;
  font-size: .9375rem;
}
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { margin: 40px 0; scroll-margin-top: 12px; }
.lead { margin: 0 0 16px; color: var(--muted); max-width: 72ch; }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 1px;
  margin: 24px 0 0; background: var(--surface); border: 1px solid var(--line);
  border-radius: 10px; overflow: hidden;
}
.tiles > div { box-shadow: 0 0 0 1px var(--line); padding: 14px 16px 12px; }
.tiles dt { color: var(--muted); font-size: .8125rem; line-height: 1.3; }
.tiles dd { margin: 2px 0 0; }
.tiles .value {
  display: block; font-size: 1.55rem; font-weight: 650; letter-spacing: -.02em; line-height: 1.25;
  font-variant-numeric: tabular-nums;
}
.tiles .more { display: block; color: var(--muted); font-size: .8125rem; line-height: 1.35; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr));
  gap: 20px; align-items: start;
}
.pair {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr));
  gap: 24px 32px; align-items: start;
}
.pair > *, .figures > * { min-width: 0; }
figure, .card {
  margin: 0; padding: 14px 16px 12px; background: var(--surface); border: 1px solid var(--line);
  border-radius: 10px; min-width: 0;
}
figure h3, .card h3 { margin: 0 0 6px; }
figure svg { display: block; width: 100%; height: auto; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figure svg text { font-family: inherit !important; }
figcaption { margin-top: 8px; color: var(--muted); font-size: .875rem; line-height: 1.45; }
figure details { font-size: .875rem; margin-top: 6px; }
.scroll { overflow-x: auto; max-width: 100%; }
table {
  border-collapse: collapse; width: 100%; font-size: .9375rem; font-variant-numeric: tabular-nums;
}
caption { text-align: left; color: var(--muted); font-size: .875rem; padding: 0 0 6px; }
th, td { padding: 5px 12px 5px 0; text-align: left; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-bottom: 1px solid var(--line); font-size: .8125rem; color: var(--muted);
  font-weight: 600; vertical-align: bottom; }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
tbody th { font-weight: 500; overflow-wrap: anywhere; min-width: 6.5em; }
.number { text-align: right; white-space: nowrap; }
td.number .bar { min-width: 84px; }
.bar { position: relative; display: inline-block; width: 100%; padding-bottom: 6px; }
.bar::before, .bar::after {
  content: ""; position: absolute; left: 0; bottom: 0; height: 4px; border-radius: 2px;
  width: 100%; background: var(--grid);
}
.bar::after { width: calc(var(--share) * 100%); background: var(--series-1); }
.matrix { width: auto; min-width: min(100%, 320px); }
.matrix td {
  text-align: center; padding: 12px 14px; border: 2px solid var(--surface); border-radius: 6px;
  background: rgb(var(--accent-tint) / calc(.04 + var(--share) * .38)); min-width: 84px;
}
.matrix td b { display: block; font-size: 1.125rem; font-weight: 650; }
.matrix td small { color: var(--ink); }
.matrix th { min-width: 6em; max-width: 14em; overflow-wrap: anywhere; }
.matrix .corner { white-space: nowrap; text-align: left; padding-left: 0; }
.matrix thead th:not(.corner) { text-align: center; padding: 4px 10px; }
.matrix thead th { border-bottom: 0; }
.matrix tbody th { vertical-align: middle; }
.matrix tbody tr + tr > th { border-top: 0; }
.keys th { font: .8438rem/1.6 var(--mono); }
.keys td { font: .8438rem/1.6 var(--mono); overflow-wrap: anywhere; white-space: pre-wrap; }
.keys td.default { color: var(--muted); }
.token { font: .875rem/1.6 var(--mono); white-space: pre-wrap; unicode-bidi: isolate;
  overflow-wrap: anywhere; }
pre {
  margin: 0; font: .875rem/1.55 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: isolate; tab-size: 4;
}
details { margin-top: 12px; }
summary { cursor: pointer; color: var(--accent); width: fit-content; }
details > :not(summary) { margin-top: 10px; }
.samples { display: grid; gap: 14px; list-style: none; margin: 0; padding: 0; }
.samples > li { min-width: 0; }
.samples h3 { font-variant-numeric: tabular-nums; }
.samples .label { color: var(--muted); font-size: .8125rem; margin: 8px 0 4px; }
.label { color: var(--muted); font-size: .875rem; margin: 6px 0 4px; }
.pair > div > .label:first-child { margin-top: 0; }
.remark { margin: 16px 0 0; max-width: 90ch; }
.below { display: block; color: var(--muted); font-size: .75rem; }
.errors { list-style: none; margin: 0; padding: 0; background: var(--surface);
  border: 1px solid var(--line); border-radius: 10px; }
.errors li { padding: 12px 16px; }
.errors li + li { border-top: 1px solid var(--grid); }
.errors p { margin: 0; }
.errors .label { margin-top: 4px; }
.errors b { color: var(--ink); font-weight: 600; }
.quote { overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
.tokens { margin: 0; padding: 0; list-style: none; columns: 3 130px; column-gap: 24px;
  font-size: .875rem; }
.tokens li { display: flex; gap: 8px; align-items: baseline; break-inside: avoid; }
.tokens .bar { min-width: 0; }
.tokens .number { color: var(--muted); font-variant-numeric: tabular-nums; }
.notes { margin: 16px 0 0; padding: 10px 16px 10px 34px; border-radius: 8px;
  background: var(--warn-surface); color: var(--warn); overflow-wrap: anywhere; }
.notes li + li { margin-top: 4px; }
footer { border-top: 1px solid var(--line); margin-top: 48px; padding: 14px 0 40px;
  color: var(--muted); font-size: .875rem; }
@media (max-width: 560px) {
  .wrap { padding: 0 14px; }
  header { padding-top: 24px; }
  section { margin: 32px 0; }
  figure, .card { padding: 12px 10px 10px; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .tiles > div { padding: 10px 12px; }
  .tiles .value { font-size: 1.3rem; }
}
@media print {
  :root { --page: #ffffff; }
  body { font-size: 10.5pt; }
  .wrap { max-width: none; padding: 0; }
  nav, .skip { display: none; }
  section { margin: 22pt 0; }
  h2, h3, caption { break-after: avoid; }
  figure, .card, tr, .tiles > div { break-inside: avoid; }
  .figures { grid-template-columns: 1fr 1fr; }
  .pair figure { max-width: 65%; }
  .pair table, .errors li { break-inside: avoid; }
  details:not([open]) { display: none; }
  .scroll { overflow: visible; }
  .bar::before, .bar::after, .matrix td { print-color-adjust: exact; }
}
"""
