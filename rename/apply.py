#!/usr/bin/env python3
"""Apply rename rows to a checkout: apply.py ROOT ROWS.tsv... [--base COMMIT] [--dry]

A row: KIND <TAB> OLD <TAB> NEW <TAB> SCOPE. Lines starting with # and empty lines are skipped.
KIND  word   identifier OLD, whole word (\b, and not part of a longer identifier)
      text   literal OLD (may contain spaces; \n stands for a newline), replaced wherever it stands
SCOPE comma-separated path globs relative to ROOT ("crates/core/**", "**/*.html"), by the path that
      the file had in --base (moves since then are followed). Empty: all *.rs *.html *.md *.sql *.mjs
      of crates/ and docs/ and the root. "!glob" takes files out again.
All rows of one file are replaced in one pass, longest OLD first, so that chains cannot happen.
A row that matches nothing is reported on stderr, and so is a row whose OLD stands in another row of
overlapping scope with another NEW.
"""
import sys, re, subprocess, fnmatch, pathlib, argparse
p = argparse.ArgumentParser()
p.add_argument("root"); p.add_argument("rows", nargs="+")
p.add_argument("--base", default=None); p.add_argument("--dry", action="store_true")
a = p.parse_args()
root = pathlib.Path(a.root)
git = lambda *x: subprocess.run(["git", "-C", a.root, *x], capture_output=True, text=True, check=True).stdout
files = [f for f in git("ls-files").splitlines()
         if f.endswith((".rs", ".html", ".md", ".sql", ".mjs", ".js", ".css", ".txt", ".toml")) and "/migrations/" not in f
         and (root / f).is_file()]
was = {}
if a.base:
    for line in git("diff", "-M30%", "--diff-filter=R", "--name-status", a.base).splitlines():
        _, old, new = line.split("\t")
        was[new] = old
def regex(glob):
    out, i = "", 0
    while i < len(glob):
        if glob[i:i+3] == "**/": out += "(?:.*/)?"; i += 3
        elif glob[i:i+2] == "**": out += ".*"; i += 2
        elif glob[i] == "*": out += "[^/]*"; i += 1
        else: out += re.escape(glob[i]); i += 1
    return re.compile(out + r"\Z")
rows = []
for name in a.rows:
    for n, line in enumerate(open(name), 1):
        line = line.rstrip("\n")
        if not line.strip() or line.startswith("#"): continue
        part = line.split("\t") + [""] * 4
        kind, old, new, scope = part[0], part[1], part[2], part[3]
        if kind not in ("word", "text") or not old: sys.exit(f"{name}:{n}: bad row: {line}")
        if kind == "text": old, new = old.replace("\\n", "\n"), new.replace("\\n", "\n")
        globs = [g.strip() for g in scope.split(",") if g.strip()]
        yes = [regex(g) for g in globs if not g.startswith("!")]
        no = [regex(g[1:]) for g in globs if g.startswith("!")]
        rows.append([kind, old, new, yes, no, f"{name}:{n}", 0])
total = 0
for f in files:
    path = was.get(f, f)
    mine = {}
    for r in rows:
        if (not r[3] or any(x.match(path) for x in r[3])) and not any(x.match(path) for x in r[4]):
            k = (r[0], r[1])
            if k in mine and mine[k][2] != r[2]:
                print(f"conflict in {f}: {r[1]!r}: {mine[k][5]} and {r[5]}", file=sys.stderr)
            mine.setdefault(k, r)
    if not mine: continue
    text = (root / f).read_text()
    keep = {k: r for k, r in mine.items() if k[1] in text}
    if not keep: continue
    order = sorted(keep, key=lambda k: -len(k[1]))
    rx = re.compile("|".join((r"(?<![A-Za-z0-9_])" + re.escape(o) + r"(?![A-Za-z0-9_])") if kind == "word" else re.escape(o) for kind, o in order))
    by = {}
    for k in order: by.setdefault(k[1], keep[k])
    def sub(m):
        r = by[m.group(0)]; r[6] += 1
        return r[2]
    out, n = rx.subn(sub, text)
    total += n
    if out != text and not a.dry: (root / f).write_text(out)
for r in rows:
    if not r[6]: print(f"no match: {r[5]}: {r[1]!r}", file=sys.stderr)
print(f"{total} replacements")
