#!/usr/bin/env python3
"""Lay out askama templates: one element a line, indented by nesting, no line over 160 characters.

format_templates.py FILE.html...      rewrites in place; running it twice changes nothing more.
White space of the output changes only where a browser ignores it: beside boxes of blocks, between the
items of a flex or grid container, in tags. Elsewhere a line ends beside a tag of askama, with a `-`.
"""
import re, sys

LIMIT, TEXT_LIMIT = 120, 150
VOID = set("area base br col embed hr img input link meta source track wbr".split())
TEXT = set("a abbr b bdi bdo br cite code em i kbd mark q s samp small span strong sub sup time u var wbr".split())
OWN = set("button input select textarea label svg img iframe progress".split())
SVG = set("svg g path line rect circle use text title defs pattern symbol".split())
FLEX = set("""btn field badge actions tools do page-head brand org notice foot strip bar-tools tabs heat-key bands facts
choice choices theme form line secret stack pick meta inline feedback comment address numbers number checks hours filters
bulk waiting live-page job-list job-acts side-foot score-top bars-head rows alerts""".split())
FLEX_TAGS = set("li summary".split())
VERBATIM_TAGS = set("pre textarea script style title mj-style mj-title mj-preview".split())
VERBATIM_CLASSES = set("said task-text mail-text".split())  # white-space: pre-line, pre-wrap
COMPONENTS = set("""row flash specimen timeline improvements insights history heatmap tasks launch_kit feedback emails events""".split())
OWN_EXPR = re.compile(r"^(crate::web::icon\(|badge$|.*\|safe$)")
INVISIBLE = set("let extends import set".split())
OPENERS = set("if for match block macro filter".split())
UNINDENTED = set("block macro".split())

class Err(Exception): pass

# ---- tokens
def unit_end(s, i):
    for o, c in (("{{", "}}"), ("{%", "%}"), ("{#", "#}")):
        if s.startswith(o, i):
            j = s.find(c, i + 2)
            if j < 0: raise Err("open " + o)
            return j + 2
    return None

def tag_end(s, i):
    q = False
    while i < len(s):
        u = unit_end(s, i)
        if u: i = u; continue
        ch = s[i]
        if ch == '"': q = not q
        elif ch == ">" and not q: return i + 1
        i += 1
    raise Err("open tag")

def tokens(s):
    i, out, text = 0, [], ""
    def flush():
        nonlocal text
        if text: out.append(("text", text)); text = ""
    while i < len(s):
        u = unit_end(s, i)
        if u:
            flush(); out.append(({"{{": "expr", "{%": "ctl", "{#": "comment"}[s[i:i+2]], s[i:u])); i = u; continue
        if s.startswith("<!--", i):
            j = s.index("-->", i) + 3; flush(); out.append(("html_comment", s[i:j])); i = j; continue
        if s[i] == "<" and i + 1 < len(s) and re.match(r"[a-zA-Z/!]", s[i+1]):
            j = tag_end(s, i); flush()
            out.append(("close" if s[i+1] == "/" else "open", s[i:j])); i = j
            name = re.match(r"</?([\w!-]+)", out[-1][1]).group(1)
            if out[-1][0] == "open" and name in VERBATIM_TAGS and not out[-1][1].endswith("/>"):
                j = s.index(f"</{name}>", i)
                if s[i:j]: out.append(("verbatim", s[i:j]))
                i = j
            continue
        text += s[i]; i += 1
    flush()
    return out

# ---- tree
class Node:
    def __init__(self, kind, text="", **k):
        self.kind, self.text, self.kids = kind, text, []
        self.parent = None; self.trim = [False, False]; self.__dict__.update(k)

def ctl_parts(t):
    m = re.match(r"\{%([-+~]?)\s*(.*?)\s*([-+~]?)%\}$", t, re.S)
    return m.group(1), re.sub(r"\s+", " ", m.group(2)), m.group(3)

def pseudo(toks):
    """Conditions around single tags count as the tag."""
    out, n = [], 0
    while n < len(toks):
        if toks[n][0] == "ctl" and ctl_parts(toks[n][1])[1].startswith("if "):
            m, tags, ctls = n, [], []
            while m < len(toks):
                k, t = toks[m]
                if k == "ctl":
                    ctls.append("{% " + ctl_parts(t)[1] + " %}")
                    if "endif" in t: break
                elif k in ("open", "close"): tags.append((k, t))
                elif not (k == "text" and not t.strip()): break
                m += 1
            kinds = {k for k, _ in tags}
            voids = any(re.match(r"<([\w-]+)", t).group(1) in VOID or t.endswith("/>") for k, t in tags if k == "open")
            if m < len(toks) and toks[m][0] == "ctl" and len(kinds) == 1 and len(tags) == len(ctls) - 1 and not voids:
                out.append(("pseudo" + kinds.pop(), (ctls, [t for _, t in tags]))); n = m + 1; continue
        out.append(toks[n]); n += 1
    return out

def pseudo_lines(ctls, tags, ind):
    if len(tags) == 1 or tags[0].startswith("</"):
        return [" " * ind + "".join(c + t for c, t in zip(ctls, tags)) + ctls[-1]]
    ls = []
    for c, t in zip(ctls, tags): ls += [" " * ind + c, " " * (ind + 2) + t]
    return ls + [" " * ind + ctls[-1]]

def parse(s):
    toks = tokens(s)
    # what a `-` cuts off is no white space of the output
    out = []
    for n, (k, t) in enumerate(toks):
        if k == "text":
            before = toks[n-1] if n else None; after = toks[n+1] if n + 1 < len(toks) else None
            if before and before[0] in ("ctl", "expr", "comment") and before[1][-3] == "-": t = t.lstrip()
            if after and after[0] in ("ctl", "expr", "comment") and after[1][2] == "-": t = t.rstrip()
            if not t: continue
        out.append((k, t))
    toks = pseudo(out)
    root = Node("root", name="root"); stack = [root]
    def add(n):
        n.parent = stack[-1]; stack[-1].kids.append(n); return n
    n = 0
    while n < len(toks):
        k, t = toks[n]
        if k == "text":
            pos = 0
            for m in re.finditer(r"\s+", t):
                if m.start() > pos: add(Node("word", t[pos:m.start()]))
                add(Node("ws")); pos = m.end()
            if pos < len(t): add(Node("word", t[pos:]))
        elif k == "expr":
            m = re.match(r"\{\{[-+~]?\s*(.*?)\s*[-+~]?\}\}$", t, re.S)
            add(Node("expr", "{{ " + m.group(1) + " }}", inner=m.group(1)))
        elif k in ("comment", "html_comment"):
            add(Node("note", t))
        elif k == "verbatim":
            add(Node("verbatim", t))
        elif k == "open":
            name = re.match(r"<([\w!-]+)", t).group(1)
            if name.startswith("!"): add(Node("note", t)); n += 1; continue
            el = Node("el", t, name=name); m = re.search(r'\sclass="([^"]*)"', t)
            el.classes = set(re.sub(r"\{[{%].*?[%}]\}", " ", m.group(1)).split()) if m else set()
            el.hidden_input = name == "input" and 'type="hidden"' in t
            add(el)
            if name not in VOID and not t.endswith("/>"): stack.append(el)
        elif k == "pseudoopen":
            name = re.match(r"<([\w-]+)", t[1][0]).group(1)
            el = Node("el", t[0][0] + t[1][0], name=name, classes=set(), hidden_input=False, open=t); add(el); stack.append(el)
        elif k == "pseudoclose":
            assert hasattr(stack[-1], "open"), t
            stack.pop().close = t
        elif k == "close":
            name = re.match(r"</([\w-]+)", t).group(1)
            if stack[-1].kind != "el" or stack[-1].name != name: raise Err(f"</{name}> closes {stack[-1].kind} {stack[-1].text[:60]}")
            stack.pop()
        else:
            _, body, _ = ctl_parts(t); word = body.split()[0] if body else ""
            if word == "call":
                assert toks[n+1][0] == "ctl" and "endcall" in toks[n+1][1], "call"
                body = re.sub(r" \)$", ")", re.sub(r"^(call [\w:]+\() ", r"\1", body))
                name = re.match(r"call (?:\w+::)?(\w+)", body).group(1)
                add(Node("call", "{% " + body + " %}{% endcall %}", name=name)); n += 1
            elif word in OPENERS and not (word == "block" and False):
                c = Node("ctl", word=word, name=word); add(c); stack.append(c)
                b = Node("branch", "{% " + body + " %}", name="branch"); add(b); stack.append(b)
            elif word in ("else", "when"):
                prev = stack.pop(); c = stack[-1]
                if prev.kind != "branch": raise Err("else in " + prev.text)
                b = Node("branch", "{% " + body + " %}", name="branch"); add(b); stack.append(b)
            elif word.startswith("end"):
                prev = stack.pop()
                if prev.kind != "branch": raise Err(f"{body} closes {prev.text}")
                c = stack.pop(); c.end = "{% " + body + " %}"
                assert word == "end" + c.word, (word, c.word)
            else:
                add(Node("stmt", "{% " + body + " %}", word=word))
        n += 1
    if stack != [root]: raise Err("open: " + stack[-1].text)
    return root

# ---- what a browser ignores
def is_flex(n):
    while n.kind in ("ctl", "branch"): n = n.parent
    if n.kind == "root": return False
    if n.kind == "el" and n.name in SVG: return True
    if n.name == "td": return False
    if n.name in FLEX_TAGS or n.classes & FLEX: return True
    p = n.parent
    while p.kind in ("ctl", "branch"): p = p.parent
    if p.kind == "el" and (p.classes & {"facts", "menu", "rating", "checks", "numbers", "top"}): return n.name in ("div", "label")
    return False

def kind(n):
    if n.kind == "el":
        if n.hidden_input: return "block"
        if n.name == "a" and "btn" in n.classes: return "own"
        if n.name in OWN: return "own"
        if n.name in SVG and n.name != "text": return "own"
        if n.name == "span" and "vh" in n.classes: return "vh"
        return "tl" if n.name in TEXT else "block"
    if n.kind == "expr":
        if n.inner in COMPONENTS: return "block"
        return "own" if OWN_EXPR.match(n.inner) else "text"
    if n.kind == "call": return {"types": "own", "words": "text"}.get(n.name, "block")
    if n.kind == "stmt": return "block" if n.word == "include" else "invisible"
    if n.kind in ("word", "verbatim"): return "text"
    return "invisible"

def free_edges(n):  # the inside of this element begins and ends with a box of its own
    if n.kind == "root": return True
    k = kind(n)
    if n.name in SVG: return n.name not in ("text", "title")
    return k in ("block", "own") or is_flex(n)

def scan(kids, i, step, owner):
    """Kinds of what may come next, from kids[i] on."""
    res = set()
    while 0 <= i < len(kids):
        n = kids[i]
        if n.kind == "ctl":
            empty = False
            branches = n.kids if n.kind == "ctl" else []
            for b in branches:
                if b.kind != "branch": continue
                r = scan_in(b, step)
                empty |= "empty" in r; res |= r - {"empty"}
            complete = n.word == "match" or n.word in UNINDENTED or any(b.text == "{% else %}" for b in n.kids if b.kind == "branch")
            if n.word in UNINDENTED: res.add("block"); return res
            if not complete or empty: i += step; continue
            return res
        k = kind(n)
        if k != "invisible": res.add(k); return res
        i += step
    if owner.kind == "branch":
        c = owner.parent
        if c.word in UNINDENTED: res.add("block"); return res
        if c.word == "for":
            res |= scan_in(owner, step) - {"empty"}
        sib = c.parent.kids; j = sib.index(c)
        return res | scan(sib, j + step, step, c.parent)
    if owner.kind == "root": res.add("block")
    else: res.add("block" if free_edges(owner) else "edge")
    return res

def scan_in(b, step):
    """Kinds at the beginning (or end) of a branch; "empty" when there may be nothing."""
    kids = b.kids; i = 0 if step > 0 else len(kids) - 1; res = set()
    while 0 <= i < len(kids):
        n = kids[i]
        if n.kind == "ctl":
            empty = False
            for x in n.kids:
                if x.kind == "branch":
                    r = scan_in(x, step); empty |= "empty" in r; res |= r - {"empty"}
            if n.word in UNINDENTED: res.add("block"); return res
            complete = n.word == "match" or any(x.text == "{% else %}" for x in n.kids if x.kind == "branch")
            if not complete or empty: i += step; continue
            return res
        k = kind(n)
        if k != "invisible": res.add(k); return res
        i += step
    res.add("empty"); return res

def pair_free(a, b, flex):
    # White space after what is out of the flow makes an item of its own, with a gap before it.
    if flex and a == "vh": return b in ("own", "tl", "vh")
    a, b = ("tl" if x == "vh" else x for x in (a, b))
    if "block" in (a, b): return True
    if flex:
        if "own" in (a, b): return True
        if a == b == "tl": return True
        if "edge" in (a, b) : return False
    return False

def joint(owner, i):
    """The place before owner.kids[i] (i may be len): 'free', 'ws' or 'glue'."""
    kids = owner.kids
    if any(p.kind == "el" and p.name in VERBATIM_TAGS for p in [owner]): return "glue"
    ws = False
    lo = i - 1
    while lo >= 0 and kids[lo].kind == "ws": ws = True; lo -= 1
    hi = i
    while hi < len(kids) and kids[hi].kind == "ws": ws = True; hi += 1
    el = owner
    while el.kind in ("ctl", "branch"): el = el.parent
    if el.kind == "el" and el.classes & VERBATIM_CLASSES: return "ws" if ws else "glue"
    if owner.kind == "ctl": return "free"
    prev = scan(kids, lo, -1, owner); nxt = scan(kids, hi, 1, owner)
    flex = is_flex(owner)
    if all(pair_free(a, b, flex) for a in prev for b in nxt): return "free"
    return "ws" if ws else "glue"

# ---- layout
def pieces(tag):
    """Attributes of a tag, each with its conditions."""
    m = re.match(r"<[\w-]+", tag); i = m.end(); end = len(tag) - (2 if tag.endswith("/>") else 1)
    out, cur, depth, q = [], "", 0, False
    while i < end:
        u = unit_end(tag, i)
        if u:
            t = tag[i:u]
            if t.startswith("{%"):
                _, body, _ = ctl_parts(t); w = body.split()[0]
                if not q: t = "{% " + body + " %}"
                if w in OPENERS:
                    if depth == 0 and not q and cur.strip(): out.append(cur.strip()); cur = ""
                    depth += 1
                cur += t
                if w.startswith("end"):
                    depth -= 1
                    if depth == 0 and not q: out.append(cur.strip()); cur = ""
            else: cur += t
            i = u; continue
        ch = tag[i]
        if ch == '"': q = not q
        if ch.isspace() and not q:
            if depth == 0:
                if cur.strip(): out.append(cur.strip()); cur = ""
            elif not cur.endswith(" "): cur += " "
        else: cur += ch
        i += 1
    if cur.strip(): out.append(cur.strip())
    return m.group(0), out, tag[end:]

def tidy(a):
    """`{% if x %} checked{% endif %}` on a line of its own needs no blank."""
    if a.startswith("{%"):
        a = re.sub(r"(%\}) (?=[^{])", r"\1", a)
        a = re.sub(r"(%\}) (?=\{%)", r"\1", a)
        a = re.sub(r"\s+(\{% (?:end|else))", r"\1", a)
    return a

def flat_tag(tag):
    name, attrs, end = pieces(tag)
    s = name
    for a in attrs:
        if a.startswith("{%"):
            s += re.sub(r"(\{% (?:if|else|when|for)[^%]*%\}) ?(?=[^{ ])", r"\1 ", tidy(a)) if not re.search(r'="', a) or True else a
        else: s += " " + a
    return s + end

def flat(n):
    if n.kind == "ws": return " "
    if n.kind in ("word", "expr", "note", "call", "stmt", "verbatim"): return n.text
    if n.kind == "el":
        s = flat_tag(n.text)
        if n.name in VOID or n.text.endswith("/>"): return s
        return s + flat_kids(n) + f"</{n.name}>"
    if n.kind == "ctl":
        return "".join(b.text + flat_kids(b) for b in n.kids if b.kind == "branch") + n.end
    raise Err(n.kind)

def flat_kids(n):
    out = ""; kids = n.kids
    for i, k in enumerate(kids):
        if k.kind == "ws":
            if joint(n, i) == "free" and (i == 0 or i == len(kids) - 1 or kind(kids[i-1]) == "block" or kind(kids[i+1]) == "block"): continue
            out += " "
        else: out += flat(k)
    return out

def has_own(n):
    """Something below that wants a line of its own."""
    for k in n.kids:
        if k.kind == "el" and (kind(k) == "block" or k.name in OWN or k.name in SVG): return True
        if k.kind == "call" and kind(k) != "text" or (k.kind == "stmt" and k.word in ("include", "let")): return True
        if k.kind == "expr" and k.inner in COMPONENTS and k.parent.kind != "el": return True
        if k.kind == "ctl" and k.word == "match": return True
        if k.kids and has_own(k): return True
    return False

def many(n):
    """Items of a flex container stand one a line."""
    if not is_flex(n) or n.kind != "el": return False
    els = [k for k in n.kids if k.kind in ("el", "ctl")]
    loops = [k for k in n.kids if k.kind == "ctl" and any(x.kind == "el" for b in k.kids for x in b.kids)]
    return (len([k for k in els if k.kind == "el"]) > 1 and not any(k.kind in ("word",) for k in n.kids)) or (len(loops) > 0 and len(els) > 0 and not any(k.kind in ("word","expr") for k in n.kids))

def fits(n, ind):
    if n.kind == "el" and (n.name in VERBATIM_TAGS or n.classes & VERBATIM_CLASSES): return len(flat(n)) + ind <= 158
    if n.kind in ("el", "ctl"):
        if has_own(n) or many(n) or hasattr(n, "open"): return False
        s = flat(n)
        simple = n.kind == "el" and all(k.kind in ("word", "ws", "expr") for k in n.kids)
        tight = n.kind == "el" and not free_edges(n)
        return len(s) + ind <= (158 if tight else TEXT_LIMIT if simple else LIMIT)
    return True

class Out:
    def __init__(self): self.lines = []
    def line(self, ind, s): self.lines.append(" " * ind + s)
    def glue(self, s): self.lines[-1] += s

def trim(tag, left, right):
    """Put `-` on the sides of a tag of askama."""
    o, c = tag[:2], tag[-2:]
    body = tag[2:-2]
    return o + ("-" if left else "") + body + ("-" if right else "") + c

def long_call(s, ind):
    """A call too long for a line: its arguments one a line."""
    m = re.match(r"\{% call ([\w:]+)\((.*)\) %\}\{% endcall %\}$", s, re.S)
    args, cur, q, d = [], "", False, 0
    for ch in m.group(2):
        if ch == '"': q = not q
        if not q and ch in "([": d += 1
        if not q and ch in ")]": d -= 1
        if ch == "," and not q and d == 0: args.append(cur.strip()); cur = ""
        else: cur += ch
    args.append(cur.strip())
    return ["{% call " + m.group(1) + "("] + ["  " + a + ("," if i + 1 < len(args) else "") for i, a in enumerate(args)] + [") %}{% endcall %}"]

def emit_seq(out, owner, ind, first_glued):
    """Children of owner. first_glued: the first goes on the line that stands. Returns whether what
    follows may begin a line ('free'/'ws') or is glued, with a mark for `-` on the right side."""
    kids = owner.kids
    items = [i for i, k in enumerate(kids) if k.kind != "ws"]
    run = []          # indices of what goes on in a line
    state = {"glued": first_glued}
    def flush():
        if not run: return
        emit_run(out, owner, run, ind, state)
        run.clear()
    for pos, i in enumerate(items):
        k = kids[i]
        inline = k.kind in ("word", "expr") or (k.kind == "call" and kind(k) == "text") or (k.kind in ("el", "ctl") and fits(k, ind) and not own_line(k, owner))
        if inline: run.append(i); continue
        flush()
        j = joint(owner, i)
        glued = state["glued"] if pos == 0 else j == "glue"
        if pos and glued and (k.kind == "ctl" or kids[items[pos-1]].kind in ("ctl", "expr")):
            if k.kind == "ctl": k.lead = True
            elif kids[items[pos-1]].kind == "expr": retrim(out, "{{")
            else: retrim(out, "{%")
            glued = False
        emit(out, k, ind, glued)
        state["glued"] = True
    flush()

def own_line(k, owner):
    if k.kind == "el": return kind(k) == "block" or k.name in OWN or k.name in SVG or many(owner) 
    if k.kind == "ctl": return k.word in UNINDENTED or has_own(k) or many(owner)
    return False

def retrim(out, opener):
    """Give the tag of askama that ends the last line a `-` on its right."""
    s = out.lines[-1]
    end = {"{{": "}}", "{%": "%}"}[opener]
    assert s.endswith(end), s
    if s[-3] != "-": out.lines[-1] = s[:-2] + "-" + end

def emit_run(out, owner, run, ind, state):
    """Text with what is in it, filled into lines."""
    kids = owner.kids
    # tokens with the joint before each
    toks = []
    def push(j, s, n=None): toks.append([j, s, n])
    for n, i in enumerate(run):
        k = kids[i]
        j = joint(owner, i)
        if n == 0:
            first = i == next(x for x, y in enumerate(kids) if y.kind != "ws")
            j = ("glue" if state["glued"] else "free") if first else j
            if not first and j == "glue":
                # the line before ends with a tag of askama or an element
                last = out.lines[-1].rstrip()
                if last.endswith("%}"): retrim(out, "{%"); j = "free"
                elif k.kind == "ctl": j = "trim"
                elif k.kind == "expr": j = "trim"
        push(j, flat(k), k)
    total = ""
    for n, (j, s, k) in enumerate(toks):
        total += (" " if n and j != "glue" and not (j == "free" and not has_ws_before(owner, run[n])) else "") + s
    glued_first = toks[0][0] == "glue"
    base = (len(out.lines[-1]) if glued_first else ind)
    if toks[0][0] == "trim": toks[0][1] = trim(toks[0][1], True, False) if toks[0][2].kind == "expr" else mark_first(toks[0][1])
    simple = all(k.kind in ("word", "expr") for _, _, k in toks)
    if base + len(total) <= (TEXT_LIMIT if simple else LIMIT):
        if toks[0][0] == "trim": total = toks[0][1] + total[len(toks[0][1]) - 1:]
        if glued_first: out.glue(total)
        else: out.line(ind, total)
        state["glued"] = True
        return
    # chunks that may not be parted
    chunks = []
    for n, (j, s, k) in enumerate(toks):
        if n and j == "glue": chunks[-1][1] += s; chunks[-1][2].append(k)
        else: chunks.append([j, s, [k]])
    # fill, sentence by sentence
    cur = None
    def put(s, new):
        nonlocal cur
        if new: out.line(ind, s)
        else: out.glue(s)
    for n, (j, s, ks) in enumerate(chunks):
        if n == 0:
            new = j != "glue"
            if new or len(out.lines[-1]) + len(s) <= LIMIT or len(ks) > 1 or ks[0].kind in ("word", "expr"):
                emit_chunk(out, owner, ks, s, ind, new); continue
            emit_chunk(out, owner, ks, s, ind, new); continue
        sp = "" if (j == "free" and not ws_between(owner, chunks, n)) else " "
        room = len(out.lines[-1]) + len(sp) + len(s)
        # a sentence that does not fit begins a line
        rest = 0
        for m in range(n, len(chunks)):
            rest += len(chunks[m][1]) + 1
            if re.search(r"[.?!:]$", strip_tags(chunks[m][1])): break
        begins = re.search(r"[.?!]$", strip_tags(chunks[n-1][1])) is not None
        if room > LIMIT or (begins and len(out.lines[-1]) + rest > LIMIT and len(out.lines[-1]) > 50 + ind):
            emit_chunk(out, owner, ks, s, ind, True)
        elif len(s) + ind > LIMIT: emit_chunk(out, owner, ks, s, ind, True)
        else: out.glue(sp + s)
    state["glued"] = True

def strip_tags(s): return re.sub(r"</?\w+>|\{% \w+ %\}", "", s)

def mark_first(s): return "{%-" + s[2:]

def has_ws_before(owner, i):
    return i > 0 and owner.kids[i-1].kind == "ws"

def ws_between(owner, chunks, n):
    k = chunks[n][2][0]; i = owner.kids.index(k)
    return has_ws_before(owner, i)

def emit_chunk(out, owner, ks, s, ind, new):
    base = ind if new else len(out.lines[-1])
    if base + len(s) <= LIMIT:
        if new: out.line(ind, s)
        else: out.glue(s)
        return
    for n, k in enumerate(ks):
        f = flat(k); last = out.lines[-1] if out.lines else ""
        if n == 0 and s.startswith("{%-") : f = mark_first(f)
        if n == 0 and s.startswith("{{-"): f = trim(f, True, False)
        whole = fits(k, ind) if k.kind in ("el", "ctl") else True
        if new: place = "line"
        elif len(last) + len(f) <= LIMIT: place = "glue"
        elif n and k.kind == "ctl": place = "lead"
        elif n and last.endswith("%}"): retrim(out, "{%"); place = "line"
        else: place = "glue"
        if whole or k.kind in ("word", "expr"):
            if place == "line": out.line(ind, f)
            elif place == "lead": out.line(ind, mark_first(f))
            else: out.glue(f)
        else:
            if place == "lead" or f.startswith("{%-"): k.lead = True
            emit(out, k, ind, place == "glue")
        new = False

def emit(out, k, ind, glued):
    """A node, on lines of its own unless it is glued to the line that stands."""
    def first(s):
        if glued: out.glue(s)
        else: out.line(ind, s)
    if k.kind in ("word", "expr", "note", "stmt"):
        first(k.text); return
    if k.kind == "verbatim": out.glue(k.text); return
    if k.kind == "call":
        if ind + len(k.text) <= LIMIT + 20: first(k.text); return
        ls = long_call(k.text, ind); first(ls[0])
        for l in ls[1:]: out.line(ind, l)
        return
    if k.kind == "ctl":
        lead = getattr(k, "lead", False)
        if fits(k, ind):
            s = flat(k); first(mark_first(s) if lead else s); return
        for n, b in enumerate([b for b in k.kids if b.kind == "branch"]):
            inner = ind if k.word in UNINDENTED else ind + 2
            kids = [i for i, x in enumerate(b.kids) if x.kind != "ws"]
            tag = b.text
            left = lead if n == 0 else getattr(k, "next_lead", False)
            if not kids:
                t = trim(tag, left, False)
                if n == 0: first(t)
                else: out.line(ind, t)
                # nothing inside: what white space there was is kept by the line
                k.next_lead = k.word != "match" and joint(b, 0) == "glue"
                continue
            jin = joint(b, kids[0]); jout = joint(b, len(b.kids))
            t = trim(tag, left, jin == "glue")
            if n == 0: first(t)
            else: out.line(ind, t)
            emit_seq(out, b, inner, False)
            k.next_lead = jout == "glue"
        out.line(ind, trim(k.end, k.next_lead, False))
        return
    if hasattr(k, "open"):
        out.lines += pseudo_lines(*k.open, ind); emit_seq(out, k, ind + 2, False); out.lines += pseudo_lines(*k.close, ind); return
    # an element
    tag = flat_tag(k.text); name, attrs, end = pieces(k.text)
    void = k.name in VOID or k.text.endswith("/>")
    if fits(k, (len(out.lines[-1]) if glued else ind)) and not (k.kind == "el" and has_own(k)):
        first(flat(k)); return
    kids = [i for i, x in enumerate(k.kids) if x.kind != "ws"]
    verb = k.name in VERBATIM_TAGS or k.classes & VERBATIM_CLASSES
    base = len(out.lines[-1]) if glued else ind
    if k.kind == "el" and verb and len(flat(k)) + base <= 158: first(flat(k)); return
    tight = attrs and (verb or not free_edges(k)) and not has_own(k) and len(flat(k)) + base > 158 and len(k.text) < 140 and (verb or not any(x.kind == "ctl" for x in k.kids))
    if base + len(tag) <= LIMIT and not tight or not attrs: first(tag)
    else:
        first(name)
        for a in attrs:
            a = tidy(a)
            if not a.startswith("{%") or len(a) + ind + 2 <= 150: out.line(ind + 2, a); continue
            deep = ind + 2
            for part in re.findall(r"\{%.*?%\}|(?:(?!\{%)(?:\{\{.*?\}\}|\"[^\"]*\"|.))+", a):
                word = ctl_parts(part)[1].split()[0] if part.startswith("{%") else ""
                if word in ("else", "when", "endif", "endfor"): deep -= 2
                if part.strip(): out.line(deep, part.strip())
                if word in ("else", "when", "if", "for"): deep += 2
        out.line(ind, end.strip())
    if void: return
    if verb:
        out.glue(flat_kids(k) + f"</{k.name}>"); return
    if not kids:
        out.glue(f"</{k.name}>"); return
    inner = ind if k.name == "html" else ind + 2
    jin, jout = joint(k, kids[0]), joint(k, len(k.kids))
    start = False
    if jin == "glue":
        f = k.kids[kids[0]]
        if f.kind == "ctl" and not fits(f, 0): f.lead = True
        elif f.kind == "ctl": start = True
        else: start = True
    emit_seq(out, k, inner, start)
    if jout == "glue":
        last = k.kids[kids[-1]]
        if last.kind == "ctl" and len(out.lines[-1]) > LIMIT - 20 or (last.kind == "ctl" and out.lines[-1].strip().replace("{%-", "{%") == last.end):
            retrim(out, "{%"); out.line(ind, f"</{k.name}>")
        else: out.glue(f"</{k.name}>")
    else: out.line(ind, f"</{k.name}>")

def canonical(n):
    """What the output is, white space aside that a browser ignores."""
    if n.kind == "el" and hasattr(n, "open"): return f"{n.open}[{canonical_kids(n)}]{n.close}"
    if n.kind == "el":
        name, attrs, end = pieces(n.text)
        return "\n".join([name] + [tidy(a) for a in attrs]) + end.strip() + "[" + canonical_kids(n) + "]"
    if n.kind == "ctl": return "".join(b.text + canonical_kids(b) for b in n.kids if b.kind == "branch") + n.end
    return n.text

def canonical_kids(n):
    out = ""; kids = [i for i, k in enumerate(n.kids) if k.kind != "ws"]
    for i in kids: out += "\n" + joint(n, i) + ": " + canonical(n.kids[i])
    return out + "\n" + joint(n, len(n.kids))

def layout(s):
    root = parse(s); out = Out()
    emit_seq(out, root, 0, False)
    return "\n".join(out.lines) + "\n"

def main():
    bad = 0
    for path in sys.argv[1:]:
        s = open(path).read()
        try: new = layout(s)
        except (Err, AssertionError) as e:
            print(path, "left alone:", e, file=sys.stderr); bad = 1; continue
        if layout(new) != new: print(path, "changes when it is laid out again", file=sys.stderr); bad = 1
        a, b = canonical_kids(parse(s)), canonical_kids(parse(new))
        if a != b:
            import difflib
            print(path, "says something else now:", file=sys.stderr); bad = 1
            print("\n".join(list(difflib.unified_diff(a.split("\n"), b.split("\n"), lineterm="", n=1))[:14]), file=sys.stderr)
        open(path, "w").write(new)
        for n, l in enumerate(new.split("\n"), 1):
            if len(l) > 160: print(f"{path}:{n}: {len(l)} characters", file=sys.stderr)
    return bad
if __name__ == "__main__": sys.exit(main())
