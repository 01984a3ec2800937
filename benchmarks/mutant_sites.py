"""Places where a line of Python or C can be made wrong: what mutants are drawn from."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from typing import NamedTuple


class Mutant(NamedTuple):
    """A change of one place of a file.

    Attributes
    ----------
    operator : str
        Kind of the change.
    first, last : int
        Lines of the statement that is changed, from 1.
    begin, end : int
        Characters of the file that are replaced.
    new : str
        What stands there then; with as many ends of lines, so that lines keep their numbers.
    names : tuple of str
        What a change outside of functions gives another value to.
    """

    operator: str
    first: int
    last: int
    begin: int
    end: int
    new: str
    names: tuple[str, ...] = ()


_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.MatMult: ast.Mult,
}
_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_PAIRS = [("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("nanmin", "nanmax")]
_PAIRS += [("fmin", "fmax"), ("floor", "ceil"), ("any", "all"), ("argmin", "argmax")]
_OTHER = dict(_PAIRS) | {b: a for a, b in _PAIRS}
_LOGS = re.compile(r"\b(log|logger|logging|warnings|_log|LOG)\.\w+$")


class _Sites(ast.NodeVisitor):
    """Collects mutants of a module; see `python_mutants`."""

    def __init__(self, source: str) -> None:
        self.found: list[Mutant] = []
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._lines = source.splitlines()
        self._statement: ast.stmt | None = None
        self._inside = 0
        self._loops = 0
        self._names: tuple[str, ...] = ()

    def _offset(self, line: int, column: int) -> int:
        text = self._lines[line - 1].encode()[:column].decode()
        return self._starts[line - 1] + len(text)

    def _add(self, operator: str, node: ast.expr | ast.stmt, new: ast.AST | str) -> None:
        begin = self._offset(node.lineno, node.col_offset)
        end = self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        text = new if isinstance(new, str) else f"({ast.unparse(new)})"
        ends = self._source.count("\n", begin, end)
        if ends:
            text = f"({text}{ends * chr(10)})" if isinstance(node, ast.expr) else text + ends * "\n"
        statement = self._statement or node
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        if hasattr(statement, "body"):  # of `if`, `for` and the like their head alone
            first, last = node.lineno, node.end_lineno or node.lineno
        names = () if self._inside else self._names
        self.found.append(Mutant(operator, first, last, begin, end, text, names))

    def visit(self, node: ast.AST) -> None:
        before = self._statement
        if isinstance(node, ast.stmt):
            self._statement = node
        super().visit(node)
        self._statement = before

    # ------------------------------------------------------------ left out

    def visit_Raise(self, node: ast.Raise) -> None:
        """Texts of errors."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Said to the type checker."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Texts."""

    def visit_Import(self, node: ast.Import) -> None:
        """Names."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Names."""

    def _body(self, node: ast.AST, fields: tuple[str, ...]) -> None:
        for field in fields:
            for child in getattr(node, field, ()):
                self.visit(child)

    # ------------------------------------------------------------ statements

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, self._names = self._names, (node.name,)
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if isinstance(default, ast.Constant):
                self._constant("default", default)
        loops, self._loops = self._loops, 0
        self._inside += 1
        self._body(node, ("body",))
        self._inside -= 1
        self._loops = loops
        self._names = before

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before, self._names = self._names, (node.name,)
        self._body(node, ("body",))
        self._names = before

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Call):
            if _LOGS.search(ast.unparse(node.value.func)):
                return
            self._add("statement", node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if any(name.startswith("__") for name in targets):
            return
        before = self._names
        if not self._inside:
            self._names = (*self._names, *targets)
        if self._inside and not targets and not isinstance(node.targets[0], ast.Tuple):
            self._add("statement", node, "pass")
        self._body(node, ("targets",))
        self.visit(node.value)
        self._names = before

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        before = self._names
        if not self._inside and isinstance(node.target, ast.Name):
            self._names = (*self._names, node.target.id)
        if node.value is not None:
            self.visit(node.value)
        self._names = before

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.value, (ast.JoinedStr, ast.Constant)) and _is_text(node.value):
            return
        self._add("statement", node, "pass")
        other = copy.deepcopy(node)
        other.op = _BINARY[type(node.op)]()
        self._add("arithmetic", node, ast.unparse(other))
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        empty = isinstance(node.value, ast.Constant) and node.value.value is None
        if node.value is not None and not empty:
            self._add("return", node, "return None")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self._add("statement", node, "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._add("statement", node, "pass")

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test) or "__name__" in ast.unparse(node.test):
            return
        self._negated(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._negated(node.test)
        self.generic_visit(node)

    # ------------------------------------------------------------ expressions

    def _negated(self, test: ast.expr) -> None:
        if not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
            self._add("condition", test, ast.UnaryOp(ast.Not(), test))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negated(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negated(test)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._add("and/or", node, ast.BoolOp(other, node.values))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
            self._add("condition" if isinstance(node.op, ast.Not) else "sign", node, node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not (_is_text(node.left) or _is_text(node.right) or _is_type(node)):
            self._add(
                "arithmetic", node, ast.BinOp(node.left, _BINARY[type(node.op)](), node.right)
            )
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for i, op in enumerate(node.ops):
            for k, other in enumerate(_COMPARED[type(op)]):
                ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
                two = len(_COMPARED[type(op)]) == 2
                operator = "boundary" if two and not k else "comparison"
                self._add(operator, node, ast.Compare(node.left, ops, node.comparators))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if _LOGS.search(name) or last.endswith(("Error", "Warning", "TypeVar", "cast")):
            return
        if last in _OTHER:
            func = copy.deepcopy(node.func)
            if isinstance(func, ast.Name):
                func.id = _OTHER[last]
            elif isinstance(func, ast.Attribute):
                func.attr = _OTHER[last]
            self._add("min/max", node.func, ast.unparse(func))
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        bound = node.lower or node.upper
        if bound is not None:
            self._add("slice", bound, ast.BinOp(bound, ast.Add(), ast.Constant(1)))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._constant("constant", node)

    def _constant(self, operator: str, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._add(operator, node, str(not value))
        elif isinstance(value, int):
            self._add(operator, node, str(value + 1))
        elif isinstance(value, float):
            self._add(operator, node, repr(2.0 * value if value else 1.0))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _is_type(node: ast.BinOp) -> bool:
    """Whether it is a union of types."""
    words = re.findall(r"\w+", ast.unparse(node))
    return isinstance(node.op, ast.BitOr) and all(
        w in ("None", "str", "int", "float", "bool", "bytes", "Any", "list", "dict", "tuple")
        or w[:1].isupper()
        for w in words
    )


def python_mutants(source: str) -> list[Mutant]:
    """All mutants of a module; none in texts, errors, annotations, decorators and logging."""
    sites = _Sites(source)
    sites.visit(ast.parse(source))
    return sites.found


# ---------------------------------------------------------------- C

_TOKEN = re.compile(
    r"""(?P<skip>/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+'|\s+)
    |(?P<number>(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)[uUlLfF]*)
    |(?P<word>\w+)
    |(?P<sign>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)""",
    re.VERBOSE | re.DOTALL,
)
_SIGNS = {
    "<": [("boundary", "<="), ("comparison", ">")],
    "<=": [("boundary", "<"), ("comparison", ">=")],
    ">": [("boundary", ">="), ("comparison", "<")],
    ">=": [("boundary", ">"), ("comparison", "<=")],
    "==": [("comparison", "!=")],
    "!=": [("comparison", "==")],
    "&&": [("and/or", "||")],
    "||": [("and/or", "&&")],
    "+=": [("arithmetic", "-=")],
    "-=": [("arithmetic", "+=")],
    "*=": [("arithmetic", "/=")],
    "/=": [("arithmetic", "*=")],
}
_BETWEEN = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*"}
_DECLARED = re.compile(
    r"^(const|void|int|char|double|float|bool|struct|unsigned|return|\w+_t|[A-Z]\w*[a-z]\w*)$"
)
_LINE = re.compile(
    r"^[ \t]*(\*?[\w.\[\]>+*-]+(?: [-+*/|&]?= [^;={}]*|\([^;{}]*\));|break;|continue;)$", re.M
)


def c_mutants(source: str) -> list[Mutant]:
    """All mutants of a file of C; of the preprocessor's lines numbers of `#define` alone."""
    found = list(_c_tokens(source))
    for match in _LINE.finditer(source):
        begin, end = match.span(1)
        word = re.match(r"\w+", match[1])
        if word and not _DECLARED.match(word[0]) and not _in_comment(source, begin):
            found.append(_c_mutant(source, "statement", begin, end, ";"))
    for match in re.finditer(r"\breturn ([^;]+);", source):
        if match[1] not in ("0", "NULL") and not _in_comment(source, match.start()):
            found.append(_c_mutant(source, "return", *match.span(1), "0"))
    for match in re.finditer(r"\bif \(", source):
        if not _in_comment(source, match.start()):
            end = _closing(source, match.end() - 1)
            text = source[match.end() - 1 : end]
            found.append(_c_mutant(source, "condition", match.end() - 1, end, f"(!{text})"))
    return found


def _c_tokens(source: str) -> Iterator[Mutant]:
    before = ""
    for match in _TOKEN.finditer(source):
        token, begin, end = match[0], match.start(), match.end()
        if match["skip"]:
            continue
        line = source[source.rfind("\n", 0, begin) + 1 : begin].lstrip()
        if line.startswith("#") and not (line.startswith("#define") and match["number"]):
            before = token
            continue
        if match["number"]:
            yield _c_mutant(source, "constant", begin, end, _other_number(token))
        elif token in _SIGNS:
            for operator, new in _SIGNS[token]:
                yield _c_mutant(source, operator, begin, end, new)
        elif token in _BETWEEN and re.match(r"[\w)\]]", before) and not _DECLARED.match(before):
            yield _c_mutant(source, "arithmetic", begin, end, _BETWEEN[token])
        elif token == "!" and not source[:begin].endswith("if ("):
            yield _c_mutant(source, "condition", begin, end, "")
        elif token in _OTHER and token not in ("any", "all", "min", "max"):
            yield _c_mutant(source, "min/max", begin, end, _OTHER[token])
        before = token


def _c_mutant(source: str, operator: str, begin: int, end: int, new: str) -> Mutant:
    first = source.count("\n", 0, begin) + 1
    last = first + source.count("\n", begin, end)
    text = source[source.rfind("\n", 0, begin) + 1 : begin]
    at_top = re.match(r"#define\s|static const\s|enum\s", text)
    name = re.search(r"#define\s+(\w+)|(\w+)(?:\[\w*\])*\s*=[^=]*$", text)
    missing = source.count("\n", begin, end) - new.count("\n")
    names = (name[1] or name[2],) if at_top and name else ()
    return Mutant(operator, first, last, begin, end, new + missing * "\n", names)


def _other_number(token: str) -> str:
    number = token.rstrip("uUlLfF") if not token.lower().startswith("0x") else token
    tail = token[len(number) :]
    if number.lower().startswith("0x"):
        return f"({token} + 1)"
    if re.search(r"[.eE]", number):
        return repr(2.0 * float(number) if float(number) else 1.0) + tail
    return str(int(number) + 1) + tail


def _in_comment(source: str, at: int) -> bool:
    inside = source.rfind("/*", 0, at) > source.rfind("*/", 0, at)
    return inside or "//" in source[source.rfind("\n", 0, at) + 1 : at]


def _closing(source: str, at: int) -> int:
    """Past the bracket that closes the one at a place."""
    depth = 0
    for i in range(at, len(source)):
        depth += {"(": 1, ")": -1}.get(source[i], 0)
        if not depth:
            return i + 1
    raise ValueError("a bracket is not closed")
