"""Checks what a template is made of, and rewrites its tree so that work is paid for."""

from collections.abc import Iterable, Mapping, Sequence

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

MAX_TOKENS = 4_000
MAX_DEPTH = 60
# Filters that only `Metering` writes into the tree; no template can, because none has such names.
LOOP, WHOLE, SLICED, METHOD = "(loop)", "(whole)", "(sliced)", "(method)"
METHODS = frozenset(
    {
        "upper",
        "lower",
        "title",
        "capitalize",
        "strip",
        "lstrip",
        "rstrip",
        "startswith",
        "endswith",
        "split",
        "replace",
        "join",
        "items",
        "keys",
        "values",
        "get",
        "cycle",
        "changed",
    }
)
ALLOWED = frozenset(
    {
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.For,
        nodes.If,
        nodes.Name,
        nodes.Const,
        nodes.Tuple,
        nodes.List,
        nodes.Dict,
        nodes.Pair,
        nodes.Keyword,
        nodes.CondExpr,
        nodes.Filter,
        nodes.Test,
        nodes.Call,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Slice,
        nodes.Concat,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Neg,
        nodes.Pos,
        nodes.Add,
        nodes.Sub,
        nodes.Mul,
        nodes.Div,
        nodes.FloorDiv,
        nodes.Mod,
    }
)
WORDS: Mapping[type[nodes.Node], str] = {
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.FromImport: "import",
    nodes.ScopedEvalContextModifier: "autoescape",
    nodes.Pow: "**",
}


class SyntaxRefused(ValueError):
    """The template uses something that is not allowed; the message says what, and on which line."""


def check(tree: nodes.Template) -> None:
    """Refuse what is not on the list, and what is nested too deeply; never recurses.

    Raises:
        SyntaxRefused: at the first such place.
    """
    todo: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while todo:
        node, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise SyntaxRefused(f"line {node.lineno}: is nested more than {MAX_DEPTH} deep")
        if type(node) not in ALLOWED:
            word = WORDS.get(type(node), type(node).__name__.lower())
            raise SyntaxRefused(f"line {node.lineno}: `{word}` is not supported in templates")
        if fault := _fault(node):
            raise SyntaxRefused(f"line {node.lineno}: {fault}")
        todo.extend((child, depth + 1) for child in node.iter_child_nodes())


def _fault(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.For) and node.recursive:
        return "`recursive` loops are not supported in templates"
    if isinstance(node, nodes.Call | nodes.Filter | nodes.Test) and (
        node.dyn_args or node.dyn_kwargs
    ):
        return "`*` and `**` in arguments are not supported in templates"
    if isinstance(node, nodes.Call) and not (
        isinstance(node.node, nodes.Getattr) and node.node.attr in METHODS
    ):
        return f"only these can be called: {', '.join(sorted(METHODS))}"
    if isinstance(node, nodes.Const) and isinstance(node.value, int) and abs(node.value) > 10**18:
        return "has a number that is too large"
    return None


class Metering(NodeTransformer):
    """Puts the meter before what costs by its values: loops, calls, comparisons, `~`, slices."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja2 calls visitors by the node's name
        node.iter = _filter(node.iter, LOOP, [nodes.Const(_cost([node.test, *node.body]))])
        return self.generic_visit(node)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        assert isinstance(node.node, nodes.Getattr), "checked before"
        method = _filter(
            node.node.node, METHOD, [nodes.Const(node.node.attr), *node.args], node.kwargs
        )
        return self.generic_visit(method)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        node.nodes = [_filter(part, WHOLE) for part in node.nodes]
        return self.generic_visit(node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        node.expr = _compared(node.expr)
        for operand in node.ops:
            operand.expr = _compared(operand.expr)
        return self.generic_visit(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        if isinstance(node.arg, nodes.Slice):  # anything else asks the environment
            node.node = _filter(node.node, SLICED)
        return self.generic_visit(node)


def _compared(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filter(node, WHOLE)


def _filter(
    node: nodes.Node,
    name: str,
    args: Sequence[nodes.Expr] = (),
    kwargs: Sequence[nodes.Keyword] = (),
) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), list(kwargs), None, None, lineno=node.lineno)


def _cost(body: Iterable[nodes.Node | None]) -> int:
    """The cost of one pass through a loop's body: its nodes, without those of loops in it."""
    todo, cost = [node for node in body if node is not None], 1
    while todo:
        node = todo.pop()
        cost += 1
        todo.extend([node.iter] if isinstance(node, nodes.For) else node.iter_child_nodes())
    return cost


def optional_names(tree: nodes.Template) -> frozenset[str]:
    """Names that are read only where a value may be missing: `default` and `is defined`."""
    guarded = {
        id(node.node)
        for node in tree.find_all((nodes.Filter, nodes.Test))
        if node.name in ("default", "d", "defined", "undefined")
        and isinstance(node.node, nodes.Name)
    }
    names = [
        (node.name, id(node) in guarded) for node in tree.find_all(nodes.Name) if node.ctx == "load"
    ]
    return frozenset(name for name, _ in names) - {
        name for name, is_guarded in names if not is_guarded
    }
