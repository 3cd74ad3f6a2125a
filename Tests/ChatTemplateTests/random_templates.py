"""Random templates over the whole language, sensible or not: what Jinja makes of them is the measure.

`random_templates.py SEED COUNT FILE` writes such cases for a longer comparison than the tests have."""

import copy
import json
import random
import sys

VARIABLES = {
    "messages": [
        {"role": "user", "content": "Hi é"},
        {
            "role": "assistant", "content": None,
            "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1, "b": [1.5, True, None]}}}],
        },
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
    ],
    "tools": None, "bos_token": "<s>", "n": 3, "f": 2.5, "s": "a,b c\nd", "z": "", "e": [],
    "d": {"k": "v", "items": [1], "x y": {"z": 2}}, "t": True,
}
NAMES = list(VARIABLES) + ["nope", "m", "i", "loop", "ns"]
TEXTS = [
    "", "a", "role", "content", "user", " x ", "é\u0301", "a,b", ",", "\\n", "items", "k", "\\u00e9", "<b>",
    "ß", "Σ", "abcabc", "1", "2.5", "None",
]
NUMBERS = ["0", "1", "2", "3", "-1", "-2", "10", "7", "1.0", "2.5", "0.1", "1e20", "1e-5", "3.14", "100000.0", "1e16"]
# Lazy ones always with a list behind: Jinja refuses what they are given when they are gone through.
FILTERS = """trim length upper lower title capitalize first last list string int float items|list tojson safe
    reverse abs sort unique|list min max sum dictsort count round d default join select|list reject|list
    indent""".split()
CALLS = """join(",") join("-",attribute="role") default("q") default("q",true) replace("a","b") replace("a","b",1)
    map("upper")|list map(attribute="role")|list map(attribute="role",default="?")|join("/")
    selectattr("role","equalto","user")|list selectattr("content")|list|length
    rejectattr("role","==","user")|list select("string")|list select("in",[1,"a"])|list reject("none")|list
    tojson(indent=2) tojson(sort_keys=true) tojson(ensure_ascii=true) tojson(separators=(",",":")) indent(2)
    indent(2,true) indent(1,first=true,blank=true) trim("ab") sort(reverse=true) sort(attribute="role")|list
    dictsort(by="value") dictsort(reverse=true) int(5) float(1) round(0,"ceil") unique|list items|list
    reverse|list first|upper list|tojson attr("x") sum(start=1)""".split()
TESTS = """defined undefined none string mapping iterable sequence number boolean true false integer float odd
    even callable lower upper""".split()
METHODS = """strip() lstrip() rstrip("x") split() split(",") split(",",1) rsplit(",",1) upper() lower() title()
    capitalize() replace("a","bb") replace("","-") startswith("a") endswith(("b","c")) items() keys() values()
    get("k") get("q",1) find("b") rfind("b") count("b") index("zz") splitlines() isdigit() isalpha() isspace()
    join(["a","b"]) join(e) removeprefix("a") partition(",") rpartition(",") append(1) nosuch() index(1)
    count(1) isupper() islower() isalnum()""".split()


class Templates:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one_of(self, *choices):
        return self.random.choice(choices)

    def constant(self):
        kind = self.random.random()
        if kind < 0.35:
            return '"' + self.one_of(*TEXTS) + '"'
        return self.one_of(*NUMBERS) if kind < 0.7 else self.one_of("true", "false", "none", "[]", "{}", "()")

    def operand(self, depth):
        if depth <= 0:
            return self.one_of(*NAMES, '"ab,c"', "[1,2,3]", '{"a":1}')
        return f"({self.expression(depth - 1)})"

    def expression(self, depth):
        if depth <= 0:
            return self.one_of(self.constant(), self.one_of(*NAMES))
        inner = lambda: self.expression(depth - 1 - self.random.randrange(2))
        operand = self.operand(depth)
        bound = lambda: self.one_of("", "1", "-1", "0", "2", "-2", "5", "n")
        step = self.one_of("", ":", ":-1", ":2", ":-2")
        member = self.one_of(*"role content items k index first last length previtem nextitem x 0 keys".split())
        return self.one_of(
            self.constant(), self.one_of(*NAMES), f"{operand}.{member}", f"{operand}[{inner()}]",
            f"{operand}[{bound()}:{bound()}{step}]", f"{operand}[{bound()}:{bound()}{step}]",
            f"{inner()} | {self.one_of(*FILTERS)}", f"{inner()} | {self.one_of(*FILTERS)}",
            f"{operand} | {self.one_of(*CALLS)}", f"{operand} | {self.one_of(*CALLS)}",
            f"{inner()} is {self.one_of('', 'not ')}{self.one_of(*TESTS)}",
            f"{inner()} is {self.one_of('equalto', 'eq', 'ne', 'in', 'gt', 'divisibleby', 'ge')} {self.operand(0)}",
            f"{inner()} {self.one_of(*'+ - * / // % ~ **'.split())} {inner()}",
            f"{inner()} {self.one_of('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {inner()}",
            f"{inner()} {self.one_of('and', 'or')} {inner()}", f"not {inner()}",
            f"({inner()} if {inner()} else {inner()})", f"({inner()} if {inner()})", f"[{inner()}, {inner()}]",
            f'{{"a": {inner()}, "b": {inner()}}}', f"{operand}.{self.one_of(*METHODS)}",
            f"{operand}.{self.one_of(*METHODS)}",
            f"range({self.one_of('3', '1,4', '4,0,-1', 'n', '0', '-2')})|list", f"({inner()},{inner()})",
            self.one_of("-", "+") + operand,
        )

    def tag(self, text):
        sign = lambda: self.one_of("", "", "-", "-", "+")
        return "{%" + sign() + " " + text + " " + sign() + "%}"

    def text(self):
        return self.one_of("", "x", "\n", " \n  ", "  ", "a\n\nb", "\t", "é ")

    def body(self, depth, in_loop):
        parts = [self.statement(depth - 1, in_loop) + self.text() for _ in range(self.random.randrange(1, 3))]
        return self.text() + ("".join(parts) if depth > 0 else "")

    def statement(self, depth, in_loop=False):
        kind, tag, e = self.random.randrange(15), self.tag, self.expression
        body = lambda in_loop=in_loop: self.body(depth, in_loop)
        if kind < 5 or depth <= 0:
            sign = lambda: self.one_of("", "", "-")
            return "{{" + sign() + " " + e(self.random.randrange(4)) + " " + sign() + "}}"
        if kind == 5:
            return tag(f"if {e(2)}") + body() + tag(f"elif {e(1)}") + body() + tag("else") + body() + tag("endif")
        if kind == 6:
            return tag(f"if {e(2)}") + body() + tag("endif")
        if kind == 7:
            items = self.one_of("messages", "e", "d", "range(3)", "[1,2]", "s", "messages[::-1]", e(1))
            condition = self.one_of("", "", f" if {e(1)}")
            return tag(f"for {self.one_of('m', 'i')} in {items}{condition}") + body(True) + tag("endfor")
        if kind == 8:
            return tag(f"for i in {e(1)}") + body(True) + tag("else") + body() + tag("endfor")
        if kind == 9:
            return tag(f"set {self.one_of('m', 'i', 'q')} = {e(2)}")
        if kind == 10:
            start = tag('set ns = namespace(a=1, b="x")')
            return start + tag(f"set ns.a = {e(1)}") + body() + "{{ ns.a }}"
        if kind == 11:
            return tag("set q") + body() + tag("endset") + "{{q}}"
        if kind == 12:
            call = self.one_of("", "1", "1,b=2", "c=3", '"q",n', e(1))
            start = tag('macro mm(a, b="z", c=a)')
            return start + body(False) + "{{a}}{{b}}{{c}}" + tag("endmacro") + "{{ mm(" + call + ") }}"
        if kind == 13:
            return self.one_of(
                "{#- c -#}", "{# c #}", "{% raw %}{{ x }}{% endraw %}", tag("raw") + "{% y %}\n" + tag("endraw"),
                tag("generation") + body(False) + tag("endgeneration"),
                tag("filter upper") + body(False) + tag("endfilter"),
                tag("with m = 1, i = n") + body() + "{{m}}" + tag("endwith"),
            )
        if in_loop:
            return tag(f"if {e(1)}") + tag(self.one_of("break", "continue")) + tag("endif")
        return tag(f"set a, b = {e(1)}") + "{{a}}{{b}}"

    def template(self):
        count = self.random.randrange(1, 3)
        return "".join(self.statement(3) + self.one_of("", "\n", " ") for _ in range(count))


# What has the address of an object in it, or the name of a class of Python.
UNTELLABLE = ["<generator", " object at ", "dict_", "range(", "<built-in", "<bound", "Markup(", "<class", "<function", "<Macro", "<LoopContext", "<Namespace"]


def cases(seed, count, render, limit=20000):
    """(template, text or None where Jinja refuses it), `count` of them."""
    templates, found = Templates(seed), []
    while len(found) < count:
        template = templates.template()
        try:
            text = render(template, copy.deepcopy(VARIABLES))
        except Exception:
            text = None
        if len(template) <= limit and len(text or "") <= limit and not any(name in (text or "") for name in UNTELLABLE):
            found.append({"template": template, "text": text})
    return found


if __name__ == "__main__":
    import make_golden

    seed, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with open(path, "w") as file:
        json.dump({"variables": VARIABLES, "cases": cases(seed, count, make_golden.render)}, file, ensure_ascii=False)
