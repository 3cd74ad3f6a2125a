#!/usr/bin/env python3
"""Writes Golden/conversations.json, what transformers 4.57 makes of the conversations below with the
templates in Templates, Golden/snippets.json, what it makes of small pieces of the language, and
Golden/random.json, what it makes of random ones."""

import datetime
import json
import pathlib
import warnings

import transformers.utils.chat_template_utils as chat_templates

import random_templates

HERE = pathlib.Path(__file__).parent


class FixedDay(datetime.datetime):
    """The day of `strftime_now`."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_templates.datetime = FixedDay
# Random templates make odd Python.
warnings.filterwarnings("ignore", category=SyntaxWarning)


def render(template, variables):
    return chat_templates._compile_jinja_template(template).render(**variables)


TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": 'Weather of a city — with "quotes" & <b>',
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city"},
                "days": {"type": "integer", "default": 3},
                "unit": {"type": "string", "enum": ["c", "f"]},
            },
            "required": ["city"],
        },
    },
}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content} | more


def system(content):
    return {"role": "system", "content": content}


def with_tool(arguments, result):
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    answer = {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefghi", "content": result}
    return [user("Weather in Paris?"), assistant("", tool_calls=[call]), answer, assistant("Sunny.")]


ODD = {"city": "Paris", "days": 2, "f": 1.50, "n": None, "b": True, "l": [1, "x", 2e-7], "o": {"é": "<&>\u2028\x7f"}}
CONVERSATIONS = {
    "one": [user("Hello"), assistant("Hi there!")],
    "system": [system("You are terse."), user("  What is 2+2?  "), assistant(" 4\n")],
    "turns": [user("a"), assistant("b"), user("c\n\nd"), assistant("e"), user("f")],
    "only system": [system("Only.")],
    "empty": [system(""), user(""), assistant("")],
    "unicode": [
        user("Grüße, 世界 👩‍👩‍👧 e\u0301 \u00a0\u2028 <|im_end|> {{ x }} {% if %}"),
        assistant("ÅΣς\t\"quoted\" 'single' \\ back"),
    ],
    "parts": [
        user([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]),
        assistant([{"type": "text", "text": "three"}]),
    ],
    "two users": [user("a"), user("b"), assistant("c")],
    "assistant first": [assistant("a"), user("b")],
    "thoughts": [
        user("q"), assistant("<think>\nhmm\n</think>\n\nanswer"), user("q2"),
        assistant("<think>\nmore\n</think>\n\nfinal"),
    ],
    "reasoning": [user("q"), assistant("answer", reasoning_content="let me see")],
    "null": [user("q"), assistant(None)],
    "odd role": [{"role": "narrator", "content": "q"}],
    "no content": [{"role": "user"}],
    "tool": with_tool(ODD, '{"t": 21}'),
    "tool with text": with_tool('{"city": "Paris"}', "sunny"),
    "tool with object": with_tool({"city": "Paris"}, {"t": 21, "w": [1.0, 2e-7]}),
}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def conversations():
    cases = []
    for path in sorted((HERE / "Templates").glob("*.jinja")):
        template = path.read_text()
        for name, messages in CONVERSATIONS.items():
            has_tool = name.startswith("tool")
            for tools, prompt in [(None, False)] + ([([TOOL], True)] if has_tool or name == "system" else []):
                variables = {"messages": messages, "tools": tools, "documents": None, "add_generation_prompt": prompt}
                try:
                    text, refusal = render(template, variables | TOKENS), None
                except Exception as error:
                    text, refusal = None, str(error) if "TemplateError" in repr(error) else ""
                cases.append({
                    "template": path.stem, "conversation": name, "tools": tools is not None, "prompt": prompt,
                    "text": text, "refusal": refusal,
                })
    return {"conversations": CONVERSATIONS, "tools": [TOOL], "tokens": TOKENS, "cases": cases}


SNIPPETS = r"""
{{ 1.0 }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ -0.0 }} {{ 1/3 }} {{ 2.50 }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 2 ** 10 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}
{{ 1 if false }}|{{ none }}|{{ nope }}|{{ true }}|{{ [] }}|{{ () }}|{{ (1,) }}|{{ {} }}|{{ [none, true, 1.5, "a'b", 'c"d', "e'\"f", "\n\t\\\x01\u200b\u00e9"] }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ "a" < "b" }} {{ [1, 2] < [1, 3] }} {{ "1" == 1 }} {{ none == false }} {{ (1,) == [1] }}
{{ "a" in "cab" }} {{ 1 in [1.0] }} {{ "k" in {"k": 1} }} {{ "z" not in [] }} {{ none in [none] }} {{ not "a" in "b" }}
{{ "abc"[0] }}{{ "abc"[-1] }}{{ "abc"[9] }}|{{ "añb"[::-1] }}|{{ [1,2,3][1:] }}{{ [1,2,3][:-1] }}{{ [1,2,3][::2] }}{{ [1,2,3][5:] }}{{ (1,2,3)[1:] }}{{ "abc"[-9:2] }}{{ [1,2,3][2:0:-1] }}
{{ {"a": {"b": [1, {"c": 2}]}}.a.b[1].c }} {{ {"items": 1}["items"] }} {{ {"a": 1}.items() | list }} {{ {"a": 1}.nope is defined }}
{{ "a" ~ 1 ~ none ~ nope ~ 1.0 ~ [1] }} {{ "a" "b" 'c' }} {{ "ab" * 2 }} {{ [1] * 2 + [3] }} {{ 2 * "x" }}
{{ "  x \n" | trim }}|{{ "xxaxx" | trim("x") }}|{{ "\u00a0\u2003a\x1c" | trim }}|{{ " a ".strip() }}|{{ "aab".lstrip("a") }}|{{ "baa".rstrip("a") }}
{{ "hello wORLD-foo (bar" | title }} {{ "hello wORLD'S x" .title() }} {{ "hELLO" | capitalize }} {{ "ß" | upper }} {{ "ΑΣ ΑΣΑ" | lower }} {{ "ǆ".title() }} {{ "İ" | lower | length }}
{{ "a,b,,c".split(",") }} {{ " a  b ".split() }} {{ "a b c".split(" ", 1) }} {{ "a b c".split(none, 1) }} {{ "a-b-c".rsplit("-", 1) }} {{ "".split() }} {{ "".split(",") }}
{{ "a\nb\r\nc\rd\x0be\u2028f".splitlines() }} {{ "a\nb\n".splitlines(true) }} {{ "abc".partition("b") }} {{ "abcb".rpartition("b") }} {{ "abc".partition("x") }}
{{ "aXbX".replace("X", "--") }} {{ "aXbX".replace("X", "-", 1) }} {{ "ab" | replace("", "-") }} {{ 112 | replace(1, 3) }} {{ "abab".find("b") }} {{ "éab".rfind("b") }} {{ "x".find("y") }} {{ "aaa".count("a") }}
{{ "abc".startswith("ab") }} {{ "abc".endswith(("x", "bc")) }} {{ "abc".startswith(()) }} {{ "Abc".isupper() }} {{ "٣".isdigit() }} {{ "½".isnumeric() }} {{ "".isalpha() }} {{ " ".isspace() }} {{ "a1".isalnum() }}
{{ [3,1,2] | sort }} {{ ["b","A","c"] | sort }} {{ ["b","A"] | sort(case_sensitive=true) }} {{ [1,2] | sort(reverse=true) }} {{ [{"a":2},{"a":1}] | sort(attribute="a") }} {{ {"b":1,"A":2} | dictsort }} {{ {"b":1,"a":2} | dictsort(by="value") }}
{{ [1,2,2,1] | unique | list }} {{ ["a","A"] | unique | list }} {{ [1,3,2] | max }} {{ ["b","A"] | min }} {{ [] | max }} {{ [1,2] | sum }} {{ [{"a":1},{"a":2}] | sum(attribute="a") }} {{ [0.5] | sum }}
{{ "abc" | first }}{{ "abc" | last }}{{ [] | first }}{{ {"k": 1} | first }} {{ "abc" | list }} {{ {"a": 1} | list }} {{ "abc" | reverse }} {{ [1,2] | reverse | list }} {{ range(3) | last }}
{{ [1,2,3] | length }} {{ "añ" | count }} {{ nope | length }} {{ {"a": 1} | length }} {{ range(5) | length }} {{ range(1, 9, 3) | list }} {{ range(3, 0, -1) | list }} {{ range(5)[1] }}
{{ nope | default("x") }} {{ none | default("x") }} {{ "" | default("x", true) }} {{ "" | d("x", boolean=true) }} {{ nope | default }} {{ 0 | default(1) }}
{{ ["a", 1, none] | join }} {{ [1, 2] | join(", ") }} {{ [{"a": 1}] | join("-", attribute="a") }} {{ "abc" | join("-") }} {{ nope | join }}
{{ [{"r": "u", "n": {"m": 1}}, {"r": "a"}] | map(attribute="r") | list }} {{ [{"n": {"m": 1}}] | map(attribute="n.m") | list }} {{ [[1, 2]] | map(attribute=1) | list }} {{ [{}] | map(attribute="x", default="d") | list }} {{ ["a"] | map("upper") | list }} {{ ["ab"] | map("replace", "a", "b") | list }}
{{ [1, 2, 3] | select("odd") | list }} {{ [0, 1] | select | list }} {{ [1, 2] | reject("equalto", 1) | list }} {{ [{"r": "u"}, {"r": "a"}] | selectattr("r", "in", ["u"]) | list }} {{ [{"r": 1}, {}] | selectattr("r") | list }} {{ [{"r": 1}, {}] | rejectattr("r", "defined") | list }}
{{ {"a": 1, "b": [1.0, none, true, "é\u2028<&>'\"\\\n\x01\x7f"]} | tojson }} {{ {"b": 1, "a": {"c": []}} | tojson(indent=2) }} {{ {"b": 1, "a": 2} | tojson(sort_keys=true) }} {{ "é😀" | tojson(ensure_ascii=true) }} {{ [1, {"a": 2}] | tojson(separators=(",", ":")) }} {{ (1, 2) | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ [] | tojson(indent=4) }} {{ 1e20 | tojson }} {{ [1] | tojson(indent="\t") }}
{{ "a\n\nb\nc" | indent }}|{{ "a\nb" | indent(2, true) }}|{{ "a\n\nb" | indent(2, blank=true) }}|{{ "a\nb" | indent(">>") }}|{{ "a\n" | indent }}
{{ "12" | int }} {{ " 12 " | int }} {{ "1.9" | int }} {{ "x" | int }} {{ "x" | int(7) }} {{ 2.9 | int }} {{ none | int }} {{ true | int }} {{ "2.5" | float }} {{ "x" | float }} {{ 3 | float }} {{ "1e3" | int }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 3 | round }} {{ 2.1 | round(0, "ceil") }} {{ -2.5 | abs }}
{{ "<" | safe }} {{ 1 | string }} {{ [1] | string }} {{ {"a": 1} | items | list }} {{ nope | items | list }} {{ "a" | attr("nope") is defined }}
{{ 1 is number }}{{ true is number }}{{ true is integer }}{{ 1.0 is float }}{{ "a" is string }}{{ [] is sequence }}{{ {} is sequence }}{{ {} is mapping }}{{ "a" is iterable }}{{ 1 is iterable }}{{ none is none }}{{ nope is undefined }}{{ true is true }}{{ 1 is true }}{{ false is false }}{{ false is boolean }}{{ 3 is odd }}{{ 4 is divisibleby 2 }}{{ "a" is lower }}{{ "A" is upper }}{{ none is sameas none }}{{ range is callable }}{{ "trim" is filter }}{{ "odd" is test }}{{ 1 is ne 2 }}{{ 2 is ge(2) }}{{ 1 is in [1] }}{{ 1 is not in [1] }}{{ (range(3) | map("string")) is sequence }}
{% set x = [1, 2] | map("string") %}{{ x | list }}{{ x | list }}{{ "y" if x }}{{ {"a": 1}.items() is sequence }}
{% for x in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle("a", "b") }};{% endfor %}
{% for k, v in {"a": 1, "b": 2}.items() %}{{ k }}={{ v }},{% endfor %}{% for x in [] %}x{% else %}none{% endfor %}{% for c in "ab" %}[{{ c }}]{% endfor %}{% for x in nope %}x{% endfor %}
{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}:{{ x }} {% endfor %}{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x > 4 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [1, 2] %}{% continue %}{% else %}every round was cut short{% endfor %}|{% for x in [1, 2] %}{% if x == 2 %}{% break %}{% endif %}{% else %}no{% endfor %}
{% for a in [1, 2] %}{% for b in "xy" %}{{ loop.index }}{{ b }}{% endfor %}{{ loop.index }}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}
{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% set ns.b = i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}{{ ns["a"] }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c }}{{ d }}{% set t = 1, %}{{ t }}
{% set x %}a{{ 1 + 1 }}{% endset %}{{ x }}{% set x | upper | trim %} b {% endset %}{{ x }}{% filter upper %}c{% endfilter %}{% with y = 2, z = y %}{{ y }}{{ z }}{% endwith %}{{ y }}
{% macro m(a, b=2, c=a) %}[{{ a }},{{ b }},{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m() }}{{ m(b=1, a="x") }}{{ m.name }}{% set r = m(1) %}{{ r | length }}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}{% macro g() %}({{ caller(1) }}){% endmacro %}{% call(x) g() %}x={{ x }}{% endcall %}{% set y = 5 %}{% macro h() %}{{ y }}{% endmacro %}{% set y = 6 %}{{ h() }}
{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{"b": 1}) }}{{ m(1, **{"b": 2}) }}{{ dict(a=1, **{"b": 2}) }}{{ dict([("x", 1)]) }}
{% generation %}said{% set q = 1 %}{% endgeneration %}{{ q is defined }}
{{ "%d %b %Y" | length }}{{ strftime_now("%d %b %Y") }}|{{ strftime_now("%Y-%m-%d %A %B %j %H:%M:%S %p %y %-d %%") }}
{{ "a}}b" }}{{ "{%" }}{{ '%}' }}{{ {"a": {"b": {}}} }}{{ "}}" }}{# a {{ b }} %} #}{% raw %}{{ c }}{% d %}{# e #}{% endraw %}
{{ "\x41\u00e9\U0001F600\q\'\"\
x" }}
{{- " a" -}}   {{ "b" }}   {{- "c" }}
  {%- if true -%}  x  {%- endif -%}  y
""".strip("\n").split("\n")
SPACED = [
    "  {% if true %}\n  a\n  {% endif %}\nb\n", "  {%+ if true %}\n  a\n  {%+ endif +%}\nb\n\n", "x {% if true %} y {% endif %} z",
    "\n\n  {#- c -#}  \n\n a {# d #}\n  {# e #}\n f {#+ g +#}\n h", "  {{ 1 }}  \n  {{- 2 -}}  \n 3", "{% if true -%}\n\n  a\n\n{%- endif %}\n\n  b",
    "a\r\nb{% if true %}\r\nc\rd{% endif %}\r\n", "{% raw -%}  a  {%- endraw %}  b\n  {% raw %}\n c {% endraw %}\n d", "\t{%- set x = 1 %}\n\t{{ x }}\n",
    "{% for i in [1, 2] %}\n  {{ i }}\n{% endfor %}\n", "{% for i in [1, 2] -%}\n  {{ i }}\n{% endfor -%}\n\nend", "  \u00a0{% if true %}a{% endif %}\u2028\n b",
    "{%-if true-%} a {%-else-%} b {%-endif-%} c", "{{1}}{{'a'}}{{1.5}}{{-1}}{{- -1}}", "{% if true: %}a{% endif %}",
]
REFUSED = r"""
{{ raise_exception("no!") }}
{{ nope.a }}
{{ nope() }}
{{ nope + 1 }}
{{ 1 + "a" }}
{{ [1] + (2,) }}
{{ [1].append(2) }}
{{ 1 | length }}
{{ 1 < "a" }}
{{ 1 in "a" }}
{{ 1 // 0 }}
{{ "a" | tojson(foo=1) }}
{{ nope | tojson }}
{{ range(3) | map("string") | length }}
{{ {[]: 1} }}
{% for x in 1 %}{% endfor %}
{% set a, b = [1] %}
{% set x = 1 %}{% set x.y = 2 %}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(z=1) }}
{% macro m(a=1, b) %}{% endmacro %}
{{ range(1000000) | length }}
{{ namespace(a=1) | tojson }}
{{ "a".index("b") }}
{{ "a".split("") }}
{{ [1][::0] }}
{% if true %}
{% endif %}
{% foo %}
{{ 1
{{ (1 }}
{{ 1) }}
{{ }}
{{ 'a }}
{# a
{% raw %} x
{{ a is b is c }}
{{ a b }}
{% set 1 = 2 %}
{% break %}
{% for loop in [1] %}{% endfor %}
{{ "\xg" }}
{{ 1 $ 2 }}
{{ a.1.b.}}
{{ {"a" 1} }}
{{ f(a=1, 2) }}
{% set true = 1 %}
{% else %}
{% for %}{% endfor %}
""".strip("\n").split("\n")


def snippets():
    found = []
    # A line that begins without an opening mark goes on with the one before it.
    lines = []
    for line in SNIPPETS:
        if lines and not line.lstrip().startswith("{"):
            lines[-1] += "\n" + line
        else:
            lines.append(line)
    for template in lines + SPACED:
        found.append({"template": template, "text": render(template, {})})
    for template in REFUSED:
        try:
            text = render(template, {})
        except Exception:
            text = None
        assert text is None, (template, text)
        found.append({"template": template, "text": None})
    return found


def write(name, value):
    with open(HERE / "Golden" / name, "w") as file:
        json.dump(value, file, ensure_ascii=False, indent=0)
        file.write("\n")


if __name__ == "__main__":
    write("conversations.json", conversations())
    write("snippets.json", {"variables": {}, "cases": snippets()})
    cases = random_templates.cases(1, 1200, render, limit=600)
    # Of those that Jinja refuses one in five is enough.
    kept = [case for index, case in enumerate(cases) if case["text"] is not None or index % 5 == 0]
    write("random.json", {"variables": random_templates.VARIABLES, "cases": kept})
