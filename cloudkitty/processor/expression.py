# SPDX-License-Identifier: Apache-2.0
"""A small safe language for expressions over data points (contract processor.md 5).

It reads like Python and gives what Python gives, but only literals, comparison, arithmetic,
conditions, displays, comprehensions and a few functions and methods exist. Text is parsed once
into nested closures; anything else in it is refused there. ``eval`` plays no part.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

#: Names of an expression and what they stand for while it is evaluated.
Names = Mapping[str, Any]
Evaluate = Callable[[Names], Any]

_MAX_LENGTH: Final = 10_000
_MAX_EXPONENT: Final = 1000

_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        f.__name__: f
        for f in (float, int, str, bool, len, abs, min, max, sum, any, all, round, Decimal)
    }
)
_METHODS: Final = frozenset(
    ["get", "keys", "values", "items", "startswith", "endswith", "lower", "upper", "strip", "split"]
)
_COMPARE: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = MappingProxyType(
    {
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Is: operator.is_,
        ast.IsNot: operator.is_not,
        ast.In: lambda left, right: left in right,
        ast.NotIn: lambda left, right: left not in right,
    }
)
_UNARY: Final[Mapping[type[ast.unaryop], Callable[[Any], Any]]] = MappingProxyType(
    {ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos}
)
_NUMBERS: Final = (int, float, Decimal)


class InvalidExpression(ValueError):  # noqa: N818 - what it is
    """The text is no expression of the language; the message names the part that is not."""


def _multiply(left: Any, right: Any) -> Any:
    # "x" * 10**9 would take all memory.
    for value in (left, right):
        if not isinstance(value, _NUMBERS):
            raise TypeError("only numbers can be multiplied")
    return left * right


def _power(left: Any, right: Any) -> Any:
    if not isinstance(right, _NUMBERS) or not -_MAX_EXPONENT <= right <= _MAX_EXPONENT:
        raise ValueError(f"exponents go up to {_MAX_EXPONENT}")
    if isinstance(left, int) and abs(left) > 1 << 64:
        left = Decimal(left)
    return left**right


def _modulo(left: Any, right: Any) -> Any:
    # "%999999999d" % 1 would take all memory.
    if not isinstance(left, _NUMBERS):
        raise TypeError("only numbers have a remainder")
    return left % right


_BINARY: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: _multiply,
        ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: _modulo,
        ast.Pow: _power,
    }
)


def parse(text: str, names: frozenset[str]) -> Evaluate:
    """Give a function that evaluates `text` where `names` have values.

    Raises InvalidExpression when the text is no expression, or holds what is not allowed. The
    function raises whatever Python raises for such values.
    """
    if len(text) > _MAX_LENGTH:
        raise InvalidExpression(f"longer than {_MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _Compiler(names).expression(tree.body)
    except InvalidExpression:
        raise
    except SyntaxError as exc:
        raise InvalidExpression(f"{exc.msg} (column {exc.offset})") from exc
    except (ValueError, RecursionError, MemoryError) as exc:
        raise InvalidExpression(str(exc) or "nested too deeply") from exc


class _Compiler:
    """Turns syntax into closures, one method per kind of node."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def expression(self, node: ast.AST) -> Evaluate:
        handler: Callable[[Any], Evaluate] | None = getattr(
            self, f"_{type(node).__name__.lower()}", None
        )
        if handler is None:
            raise _refusal(node, f"{type(node).__name__} is not allowed")
        return handler(node)

    def _constant(self, node: ast.Constant) -> Evaluate:
        value = node.value
        if value is not None and not isinstance(value, str | int | float):
            raise _refusal(node, f"a literal {value!r} is not allowed")
        return lambda _names: value

    def _name(self, node: ast.Name) -> Evaluate:
        name = node.id
        if name not in self._names:
            raise _refusal(node, f"unknown name '{name}'")
        return lambda names: names[name]

    def _subscript(self, node: ast.Subscript) -> Evaluate:
        value, index = self.expression(node.value), self.expression(node.slice)
        return lambda names: value(names)[index(names)]

    def _slice(self, node: ast.Slice) -> Evaluate:
        parts = [
            self.expression(part) if part else _none for part in (node.lower, node.upper, node.step)
        ]
        return lambda names: slice(*(part(names) for part in parts))

    def _unaryop(self, node: ast.UnaryOp) -> Evaluate:
        operation = _UNARY.get(type(node.op))
        if operation is None:
            raise _refusal(node, f"{type(node.op).__name__} is not allowed")
        operand = self.expression(node.operand)
        return lambda names: operation(operand(names))

    def _binop(self, node: ast.BinOp) -> Evaluate:
        operation = _BINARY.get(type(node.op))
        if operation is None:
            raise _refusal(node, f"{type(node.op).__name__} is not allowed")
        left, right = self.expression(node.left), self.expression(node.right)
        return lambda names: operation(left(names), right(names))

    def _boolop(self, node: ast.BoolOp) -> Evaluate:
        operands = [self.expression(value) for value in node.values]
        stop_at = isinstance(node.op, ast.Or)

        def evaluate(names: Names) -> Any:
            value: Any = None
            for operand in operands:
                value = operand(names)
                if bool(value) is stop_at:
                    break
            return value

        return evaluate

    def _compare(self, node: ast.Compare) -> Evaluate:
        first = self.expression(node.left)
        steps = [
            (_COMPARE[type(op)], self.expression(right))
            for op, right in zip(node.ops, node.comparators, strict=True)
        ]
        if len(steps) == 1:
            operation, second = steps[0]
            return lambda names: operation(first(names), second(names))

        def evaluate(names: Names) -> Any:
            left, result = first(names), True
            for operation, operand in steps:
                right = operand(names)
                result = operation(left, right)
                if not result:
                    break
                left = right
            return result

        return evaluate

    def _ifexp(self, node: ast.IfExp) -> Evaluate:
        test, body, other = map(self.expression, (node.test, node.body, node.orelse))
        return lambda names: body(names) if test(names) else other(names)

    def _items(self, node: ast.List | ast.Tuple | ast.Set, kind: type) -> Evaluate:
        items = [self.expression(item) for item in node.elts]
        return lambda names: kind([item(names) for item in items])

    def _list(self, node: ast.List) -> Evaluate:
        return self._items(node, list)

    def _tuple(self, node: ast.Tuple) -> Evaluate:
        return self._items(node, tuple)

    def _set(self, node: ast.Set) -> Evaluate:
        return self._items(node, set)

    def _dict(self, node: ast.Dict) -> Evaluate:
        pairs = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                raise _refusal(node, "** is not allowed")
            pairs.append((self.expression(key), self.expression(value)))
        return lambda names: {key(names): value(names) for key, value in pairs}

    def _call(self, node: ast.Call) -> Evaluate:
        for argument in (*node.args, *node.keywords):
            if isinstance(argument, ast.Starred) or getattr(argument, "arg", "") is None:
                raise _refusal(node, "* and ** are not allowed in calls")
        args = [self.expression(argument) for argument in node.args]
        keywords = {str(k.arg): self.expression(k.value) for k in node.keywords}
        target = node.func
        if isinstance(target, ast.Name) and target.id not in self._names:
            return _function_call(node, target.id, args, keywords)
        if isinstance(target, ast.Attribute) and target.attr in _METHODS:
            return _method_call(self.expression(target.value), target.attr, args, keywords)
        raise _refusal(node, f"a call of '{ast.unparse(target)}' is not allowed")

    def _listcomp(self, node: ast.ListComp) -> Evaluate:
        return self._comprehension(node.generators, node.elt, list)

    def _generatorexp(self, node: ast.GeneratorExp) -> Evaluate:
        # Drawn at once: nothing lazy outlives the evaluation of a point.
        return self._comprehension(node.generators, node.elt, list)

    def _setcomp(self, node: ast.SetComp) -> Evaluate:
        return self._comprehension(node.generators, node.elt, set)

    def _dictcomp(self, node: ast.DictComp) -> Evaluate:
        pair = ast.Tuple(elts=[node.key, node.value], ctx=ast.Load())
        return self._comprehension(node.generators, pair, dict)

    def _comprehension(
        self, generators: list[ast.comprehension], element: ast.expr, kind: type
    ) -> Evaluate:
        outer, loops = self._names, []
        for generator in generators:
            if generator.is_async:
                raise _refusal(element, "async is not allowed")
            source = self.expression(generator.iter)
            targets = _targets(generator.target)
            self._names |= frozenset(targets)
            tests = [self.expression(test) for test in generator.ifs]
            nested = isinstance(generator.target, ast.Tuple)
            loops.append((source, targets, nested, tests))
        body = self.expression(element)
        self._names = outer

        def run(depth: int, names: Names) -> Iterator[Any]:
            if depth == len(loops):
                yield body(names)
                return
            source, targets, nested, tests = loops[depth]
            for item in source(names):
                values = tuple(item) if nested else (item,)
                inner = {**names, **dict(zip(targets, values, strict=True))}
                if all(test(inner) for test in tests):
                    yield from run(depth + 1, inner)

        return lambda names: kind(run(0, names))


def _targets(node: ast.expr) -> list[str]:
    items = node.elts if isinstance(node, ast.Tuple) else [node]
    targets = [item.id for item in items if isinstance(item, ast.Name)]
    if len(targets) != len(items):
        raise _refusal(node, f"'{ast.unparse(node)}' cannot be assigned to")
    return targets


def _function_call(
    node: ast.Call, name: str, args: list[Evaluate], keywords: dict[str, Evaluate]
) -> Evaluate:
    function = _FUNCTIONS.get(name)
    if function is None:
        raise _refusal(node, f"unknown function '{name}'")
    if len(args) == 1 and not keywords:
        (only,) = args
        return lambda names: function(only(names))
    return lambda names: function(
        *[argument(names) for argument in args],
        **{key: value(names) for key, value in keywords.items()},
    )


def _method_call(
    value: Evaluate, method: str, args: list[Evaluate], keywords: dict[str, Evaluate]
) -> Evaluate:
    def evaluate(names: Names) -> Any:
        owner = value(names)
        if not isinstance(owner, dict | str):
            raise TypeError(f"{type(owner).__name__} has no method {method}")
        return getattr(owner, method)(
            *[argument(names) for argument in args],
            **{key: keyword(names) for key, keyword in keywords.items()},
        )

    return evaluate


def _none(_names: Names) -> None:
    return None


def _refusal(node: ast.AST, reason: str) -> InvalidExpression:
    column = getattr(node, "col_offset", None)
    return InvalidExpression(reason if column is None else f"{reason} (column {column + 1})")
