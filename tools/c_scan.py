#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What check_style.sh needs a parser for: lengths of C functions, and calls of
banned functions outside comments and strings.

    c_scan.py MAX_LINES FILE...

Prints one `FILE:LINE: what` per finding; exit status 1 when there is one.
"""

import re
import sys

BANNED = {
    "sprintf": "snprintf or rt_buf__printf", "vsprintf": "vsnprintf", "strcpy": "memcpy or snprintf",
    "stpcpy": "memcpy", "strcat": "rt_buf__puts", "strncat": "rt_buf__puts",
    "atoi": "a checked parse", "atol": "a checked parse", "atof": "a checked parse",
    "alloca": "a fixed array or malloc", "gets": "fgets", "strtok": "a cursor or strsep",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")

# Comments, strings and character constants, and preprocessor lines with their
# continuations: all that may hold braces or names which mean nothing.
NOISE = re.compile(
    r"/\*.*?\*/|//[^\n]*"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M | re.S)


def blank(match):
    """Same number of characters and lines, nothing in them."""
    return re.sub(r"[^\n]", " ", match.group())


def functions(text):
    """(name, first line, last line) of every function body in `text`, which
    has no noise left. A body is a brace at depth 0 that follows a parenthesis
    and no '='; the declarator's line counts as the first."""
    depth = 0
    head = 0  # where the current declaration began
    start = None
    for i, c in enumerate(text):
        if c == "{":
            if depth == 0:
                declaration = text[head:i]
                name = re.search(r"(\w+)\s*\(", declaration)
                if name and "=" not in declaration.split("(")[0] and ")" in declaration:
                    lead = len(declaration) - len(declaration.lstrip())
                    start = (name.group(1), text.count("\n", 0, head + lead) + 1)
            depth += 1
        elif c == "}":
            depth = max(0, depth - 1)
            if depth == 0:
                if start:
                    yield start[0], start[1], text.count("\n", 0, i) + 1
                    start = None
                head = i + 1
        elif c == ";" and depth == 0:
            head = i + 1


def scan(path, limit):
    with open(path, encoding="utf-8", errors="replace") as f:
        text = NOISE.sub(blank, f.read())
    found = []
    for m in BANNED_CALL.finditer(text):
        line = text.count("\n", 0, m.start()) + 1
        found.append((line, f"{m.group(1)}() is banned, use {BANNED[m.group(1)]}"))
    for name, first, last in functions(DIRECTIVE.sub(blank, text)):
        if last - first + 1 > limit:
            found.append((first, f"{name}() has {last - first + 1} lines, the limit is {limit}"))
    return [f"{path}:{line}: {what}" for line, what in sorted(found)]


def main():
    limit = int(sys.argv[1])
    findings = [f for path in sys.argv[2:] for f in scan(path, limit)]
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
