"""How the report looks: readable at night, on a phone, and on paper."""

CSS = """
:root {
  --ground: #f6f7f9; --card: #fff; --ink: #1a1d21; --soft: #5b6470; --line: #dfe3e8;
  --good: #14713d; --good-ground: #e4f5ea; --bad: #b3201a; --bad-ground: #fdeceb; --open: #8a5a00; --open-ground: #fdf3dc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --card: #1c2024; --ink: #e6e9ec; --soft: #98a2ad; --line: #30363d;
    --good: #5fd08f; --good-ground: #14301f; --bad: #ff8d86; --bad-ground: #3a1917; --open: #f0c15c; --open-ground: #35290f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
small { color: var(--soft); font-weight: 400; font-size: .85em; margin-left: .3em; }
i { font-style: normal; font-weight: 700; }
code { font: .9em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
header { border-radius: 10px; padding: 1.3rem 1.5rem; border-left: 8px solid; }
header p { margin: 0; }
header .what { margin-bottom: .3rem; }
header.good, article.good { background: var(--good-ground); border-color: var(--good); }
header.bad, article.bad { background: var(--bad-ground); border-color: var(--bad); }
header.good h1 { color: var(--good); }
header.bad h1 { color: var(--bad); }
.counts { list-style: none; display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; padding: 0; margin: .9rem 0 0; }
.counts .bad b { color: var(--bad); } .counts .open b { color: var(--open); } .counts .good b { color: var(--good); }
.counts b { font-size: 1.3rem; }
dl { margin: 1rem 0; }
main > dl { display: flex; flex-wrap: wrap; gap: .6rem 2.2rem; padding: 0 .2rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; }
article { border-left: 5px solid; border-radius: 8px; padding: .9rem 1.1rem; margin: .7rem 0; break-inside: avoid; }
article.open { background: var(--open-ground); border-color: var(--open); }
article.bad i { color: var(--bad); } article.open i { color: var(--open); }
article p { margin: .5rem 0 .1rem; color: var(--soft); font-size: .9rem; }
article ol { margin: 0; padding-left: 1.6rem; }
.verdict { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
.verdict dd { overflow-wrap: anywhere; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; overflow: hidden; }
summary { cursor: pointer; padding: .6rem 1rem; font-weight: 600; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; table-layout: fixed; }
th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: .4rem 1rem; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th:last-child, td:last-child { width: 22%; }
td i { color: var(--good); }
@media (max-width: 40rem) { th, td { padding: .4rem .5rem; } h1 { font-size: 1.5rem; } }
@media print {
  :root { --ground: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --good: #14713d; --bad: #b3201a; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; }
  details { break-inside: auto; } tr { break-inside: avoid; }
}
"""
