"""House rules of the JavaScript: short files, functions and lines. `scripts/check` runs this file."""

from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_javascript

import narrows

SOURCE = Path(narrows.__file__).parent
FILES = sorted(path for path in SOURCE.rglob("*.js") if path.parent.name != "vendor")
LONGEST_FILE, LONGEST_FUNCTION = 400, 100  # lines
WIDEST_LINE = 120  # characters
DRAWINGS = "studio/static/icons.js"  # paths of icons cannot be broken
FUNCTIONS = {
    "function_declaration",
    "function_expression",
    "generator_function",
    "generator_function_declaration",
    "arrow_function",
    "method_definition",
}
PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_javascript.language()))


def functions(text: str) -> list[tuple[int, int]]:
    """Return the first line of each function and its number of lines, which include the functions within it."""
    root = PARSER.parse(text.encode()).root_node
    if root.has_error:
        raise ValueError("`text` must be JavaScript. The parser found a syntax error in it.")
    lengths, nodes = [], [root]
    while nodes:
        node = nodes.pop()
        nodes += node.children
        if node.type in FUNCTIONS:
            lengths.append((node.start_point.row + 1, node.end_point.row - node.start_point.row + 1))
    return sorted(lengths)


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_becomes_too_long(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= LONGEST_FILE
    assert [f"line {first}: {n} lines" for first, n in functions(text) if n > LONGEST_FUNCTION] == []
    if name(path) != DRAWINGS:
        assert [number for number, line in enumerate(lines, 1) if len(line) > WIDEST_LINE] == []


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("function f() {", "}"),
        ("async function* f() {", "}"),
        ("const f = function () {", "};"),
        ("const f = (a) => {", "};"),
        ("class C { static async #f() {", "}}"),
        ("class C { get f() {", "}}"),
        ("const o = { f() {", "}};"),
        ("call(async () => {", "});"),
    ],
)
def test_a_long_function_is_found(start, end):
    # braces in strings, templates, regular expressions and comments end no function
    lines = ['"}";', "`} ${`}`} }`;", "a / /[}/]}/.b / c;", "// }", "/* } */"] * 20
    assert functions("\n".join([start, *lines, end])) == [(1, 102)]


def test_a_function_counts_those_within_it_and_a_class_is_none():
    inner = ["const g = () => {", *["a;"] * 60, "};"]
    assert functions("\n".join(["function f() {", *inner, *inner, "}"])) == [(1, 126), (2, 62), (64, 62)]
    methods = ["f() {", *["a;"] * 60, "}"]
    assert functions("\n".join(["class C {", *methods, *methods, "}"])) == [(2, 62), (64, 62)]


def test_what_is_no_javascript_is_refused():
    with pytest.raises(ValueError, match="syntax error"):
        functions("function f() {")
