"""A manual page from a command's own help (--experimental-dump-help of swift-argument-parser)."""

import json
import subprocess
import time


def page(program, version, epoch):
    """The page of a program with all its subcommands, in man(7)."""
    dump = subprocess.run([program, "--experimental-dump-help"], check=True, capture_output=True, text=True)
    command = json.loads(dump.stdout)["command"]
    name = command["commandName"]
    date = time.strftime("%Y-%m-%d", time.gmtime(epoch))
    subcommands = [each for each in command.get("subcommands", []) if shown(each) and each["commandName"] != "help"]
    lines = [
        f'.TH {name.upper()} 1 "{date}" "flap {version}" "User Commands"',
        ".SH NAME",
        f"{text(name)} \\- {text(first_word_lower(command['abstract']).rstrip('.'))}",
        ".SH SYNOPSIS",
    ]
    if subcommands:
        for each in subcommands:
            words = f"{name} [{each['commandName']}]" if each["commandName"] == command.get("defaultSubcommand") else f"{name} {each['commandName']}"
            lines += [".br"] if each is not subcommands[0] else []
            lines += synopsis(words, each)
    else:
        lines += synopsis(name, command)
    lines += [".SH DESCRIPTION", *paragraphs(command.get("discussion", command["abstract"]))]
    lines += options(command, ".SH", "OPTIONS")
    if subcommands:
        lines.append(".SH COMMANDS")
    for each in subcommands:
        lines += [f".SS {quoted(each['commandName'])}", *paragraphs(each["abstract"])]
        lines += paragraphs(each.get("discussion", ""), continued=True)
        # What every command has is said once.
        own = [one for one in each.get("arguments", []) if one["valueName"] not in ("version", "help")]
        lines += options({"arguments": own}, None, None)
    other = "flap-worker" if name == "flap-coord" else "flap-coord"
    lines += [".SH SEE ALSO", f".BR {text(other)} (1)"]
    return "\n".join(lines) + "\n"


def shown(item):
    return item.get("shouldDisplay", True)


def synopsis(words, command):
    """What has to be given."""
    lines = [f".B {text(words)}", "[\\fIoptions\\fR]"]
    for argument in command.get("arguments", []):
        if not shown(argument) or argument["isOptional"]:
            continue
        value = f"\\fI{text(argument['valueName'])}\\fR"
        lines.append(value if argument["kind"] == "positional" else f"\\fB{spelled(argument['preferredName'])}\\fR {value}")
    return lines


def options(command, heading, title):
    """All arguments, under the headings that the help gives them."""
    sections = {}
    for argument in command.get("arguments", []):
        if shown(argument):
            sections.setdefault(argument.get("sectionTitle"), []).append(argument)
    lines = []
    if heading and sections:
        lines.append(f"{heading} {title}")
    for section in sorted(sections, key=lambda section: section is not None):
        if section:
            lines += [".PP", f".I {text(section)}"]
        for arguments in together(sections[section]):
            lines += [".TP", ", ".join(term(argument) for argument in arguments), *description(arguments[0])]
    return lines


def together(arguments):
    """A flag and its opposite have one description."""
    groups = []
    for argument in arguments:
        if argument["kind"] == "flag" and groups and groups[-1][0].get("abstract") == argument.get("abstract"):
            groups[-1].append(argument)
        else:
            groups.append([argument])
    return groups


def term(argument):
    if argument["kind"] == "positional":
        return f"\\fI{text(argument['valueName'])}\\fR"
    names = ", ".join(f"\\fB{spelled(name)}\\fR" for name in argument["names"])
    return names if argument["kind"] == "flag" else f"{names} \\fI{text(argument['valueName'])}\\fR"


def spelled(name):
    return text(("-" if name["kind"] == "short" else "--") + name["name"])


def description(argument):
    said = argument.get("abstract", "")
    # What the help says of itself already is not said twice.
    if values := [value for value in argument.get("allValues", []) if value not in said]:
        said += f" One of {', '.join(argument['allValues'])}." if values else ""
    default = argument.get("defaultValue")
    if default and "default" not in said:
        said += f" Default: {default}."
    return [text(said)]


def paragraphs(said, continued=False):
    """Paragraphs are filled, indented lines shown as they are."""
    lines, literal = [], False
    for line in said.splitlines():
        if not line:
            if not literal and lines:
                lines.append(".PP")
        elif line.startswith(" "):
            if not literal:
                lines += [".RS 2", ".nf"]
                literal = True
            lines.append(text(line.strip()))
            continue
        elif literal:
            lines += [".fi", ".RE", ".PP"]
            literal = False
            lines.append(text(line))
        else:
            lines.append(text(line))
    if literal:
        lines += [".fi", ".RE"]
    return [".PP", *lines] if continued and lines else lines


def first_word_lower(said):
    return said[:1].lower() + said[1:]


def quoted(said):
    return f'"{text(said)}"'


def text(said):
    """Escapes what roff would take as a request; a hyphen of a program's words is a minus."""
    escaped = said.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped[:1] in ".'" else escaped
