"""The style that every drawing brings along; a page that has it leaves it out."""

STYLE = """<style>
.hg{--f:var(--fwd,#1d5ba6);--b:var(--back,#a6430c);--i:var(--ink,#20242b);--m:var(--muted,\
#5c626d);--r:var(--rule,#878b94);--p:var(--ground,#fdfcf8);--q:var(--tint,#f5f3ec);display:block;\
width:100%;height:auto;overflow:visible;font-family:var(--serif,"Source Serif 4",\
"Source Serif Pro","Liberation Serif","Times New Roman",Times,serif)}
@supports(color:light-dark(#000,#fff)){.hg{--f:var(--fwd,light-dark(#1d5ba6,#8ab8f0));\
--b:var(--back,light-dark(#a6430c,#f29a5c));--i:var(--ink,light-dark(#20242b,#e6e3dc));\
--m:var(--muted,light-dark(#5c626d,#a3a7af));--r:var(--rule,light-dark(#878b94,#757b86));\
--p:var(--ground,light-dark(#fdfcf8,#15171b));--q:var(--tint,light-dark(#f5f3ec,#1d2025))}}
[data-theme=dark] .hg,[data-jp-theme-light=false] .hg,.vscode-dark .hg{color-scheme:dark}
[data-theme=light] .hg,[data-jp-theme-light=true] .hg,.vscode-light .hg{color-scheme:light}
.hg:root{color-scheme:light dark;background:var(--p)}
.hg.full{max-width:892px}.hg.column{max-width:620px;margin:0 auto}
.hg.tall{max-width:400px;margin:0 auto}
.hg text{fill:var(--i);font-feature-settings:"tnum","lnum"}
.hg .t{font-size:16px;font-style:italic}
.hg .v{font-size:17px;font-weight:600;fill:var(--f)}
.hg .g{font-size:17px;fill:var(--b)}
.hg .none{fill:var(--m);font-style:italic;font-weight:400;font-size:16px}
.hg .k{font-size:15px}
.hg .n{font-size:14px;font-style:italic;fill:var(--m)}
.hg .a{font-size:14px;fill:var(--m)}
.hg .c{fill:var(--m);font:13px var(--mono,"Source Code Pro",ui-monospace,Menlo,Consolas,\
"Liberation Mono",monospace)}
.hg .it{font-style:italic}.hg .c.dark{fill:var(--i)}.hg .fw{fill:var(--f)}.hg .bk{fill:var(--b)}
.hg .node{fill:var(--p);stroke:var(--r);stroke-width:1.25}
.hg .leaf{fill:var(--q)}.hg .frozen{fill:none;stroke-dasharray:5 4}
.hg .now{stroke:var(--i);stroke-width:2.25}
.hg .fwd{fill:none;stroke:var(--f);stroke-width:1.25;stroke-linejoin:round}
.hg .dashed:not(.tip){stroke-dasharray:5 4}
.hg .back{fill:none;stroke:var(--b);stroke-width:2.25}.hg .back.head{fill:var(--b);stroke:none}
.hg .rule{fill:none;stroke:var(--r);stroke-width:1}.hg .dot{fill:var(--r)}
.hg .faint{fill:none;stroke:var(--r);stroke-width:1;opacity:.4}
.hg .fan{fill:var(--f);fill-opacity:.1}
.hg .halo{paint-order:stroke;stroke:var(--p);stroke-width:5px;stroke-linejoin:round}
.hg .dots{stroke-width:7;stroke-linecap:round}
.hg .lit{fill:var(--b)}
.hg .thin{stroke-width:1.25}
.hg .curve{stroke-width:2;stroke-linecap:round}.hg .under{fill:var(--p)}
.hg .spot.fw{fill:var(--f)}.hg .spot.bk{fill:var(--b)}
.hg .spot.open{fill:var(--p);stroke:var(--f);stroke-width:2}.hg .spot.open.bk{stroke:var(--b)}
.hg .amount{stroke:var(--b);stroke-width:4;fill:none}
.hg .ring{fill:var(--b);fill-opacity:.055;stroke:var(--r);stroke-width:1.25}
.hg .core{fill:var(--p);fill-opacity:1}
@media screen and (max-width:919px){.hg.wide-only{display:none}}
@media screen and (min-width:920px){.hg.tall-only{display:none}}
@media print{.hg.tall-only{display:none}}
.hg:root{display:block!important}
</style>"""
