"""A class's arguments, read from its source: importing the networks' libraries would take ten seconds.

Types that the source alone does not tell are `Any`; the check before a run, which imports the classes, sees them.
"""

import ast
import inspect
import operator
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Any, NamedTuple

from acr_lightning.classes import bounded
from acr_lightning.classes.class_names import full_path, import_class
from acr_lightning.classes.module_source import module_file
from acr_lightning.classes.own_modules import admit

REQUIRED = inspect.Parameter.empty
_UNTOLD: Any = object()  # a default that the source alone does not tell
_BUILTIN = {kind.__name__: kind for kind in (str, int, float, bool, list, dict, tuple)}
_ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_KNOWN: dict[str, Any] = {
    **_BUILTIN, "Any": Any, "Sequence": Sequence, "Iterable": Iterable, "Mapping": Mapping,
    **{name: getattr(bounded, name) for name in bounded.__all__ if name[0].isupper()},
}  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """One argument.

    Attributes:
        type: what it takes.
        default: its value where none is given, `REQUIRED`, or None where the source does not tell.
        help: from the docstring.
        group: what it takes, if it is a group of arguments (a dataclass).
        called: whether it is a class that will be called with its first argument (`Callable[[…], …]`).
    """

    type: Any
    default: Any
    help: str
    group: "Signature | None" = None
    called: bool = False


@dataclass(frozen=True)
class Signature:
    """What a class takes.

    Attributes:
        arguments: by name.
        takes_any: whether it takes other keywords, too.
        help: first line of its docstring.
    """

    arguments: dict[str, Argument]
    takes_any: bool
    help: str

    def without_first(self) -> "Signature":
        """What is left where the first argument is given."""
        return replace(self, arguments=dict([*self.arguments.items()][1:]))

    def takes(self, name: str) -> bool:
        """Whether there is an argument of this name; a class with `**kwargs` may still refuse others."""
        return name in self.arguments


@lru_cache
def signature_of(class_path: str, where: str) -> Signature:
    """The signature of a class.

    Args:
        class_path: short name or import path.
        where: the key that names it, for the message.

    Raises:
        UserError: there is no such class.
    """
    module, _, name = full_path(class_path).rpartition(".")
    found = _definition(module, name)
    try:
        if found is None or not isinstance(found[1], ast.ClassDef):
            raise _UnknownError
        signature = _of_class(found[1], found[0])
    except _UnknownError:
        return _imported(import_class(class_path, where, object))
    untold = {name: one for name, one in signature.arguments.items() if one.default is _UNTOLD}
    if untold:
        bases = reversed(import_class(class_path, where, object).__mro__)  # a class may hand on `**kwargs`
        parameters = {key: one for base in bases for key, one in inspect.signature(base.__init__).parameters.items()}
        untold = {name: replace(one, default=parameters[name].default) for name, one in untold.items()}
    return replace(signature, arguments=signature.arguments | untold)


def _of_class(node: ast.ClassDef, module: str) -> Signature:
    """What a class takes, and what the class above it takes where it hands on `**kwargs`.

    Raises:
        _UnknownError: the source does not tell.
    """
    init, text = _init(node, module), ast.get_docstring(node) or ""
    if init is None:
        return Signature({}, False, text.partition("\n")[0])
    function = init.function
    made = _signature(function.args, init.module, [text, ast.get_docstring(function) or ""])
    if (call := _call_above(function)) is None:
        return made
    above = _of_bases(init.owner, init.module)
    used = [*above.arguments][: len(call.args)] + [one.arg for one in call.keywords]
    rest = {name: one for name, one in above.arguments.items() if name not in (*used, *made.arguments)}
    return replace(made, arguments={**made.arguments, **rest}, takes_any=above.takes_any)


def _call_above(function: ast.FunctionDef) -> ast.Call | None:
    """The `super().__init__(…, **kwargs)` of an `__init__`, or None where it hands no keywords on."""
    for call in ast.walk(function) if function.args.kwarg else ():
        if (
            isinstance(call, ast.Call)
            and ast.unparse(call.func) == "super().__init__"
            and any(one.arg is None for one in call.keywords)
        ):
            return call
    return None


def _of_bases(node: ast.ClassDef, module: str) -> Signature:
    """What the nearest base with an `__init__` takes."""
    for base in node.bases:
        found = _definition(module, base.id) if isinstance(base, ast.Name) else None
        if found is None or not isinstance(found[1], ast.ClassDef):
            raise _UnknownError
        if _init(found[1], found[0]):
            return _of_class(found[1], found[0])
    return Signature({}, False, "")


def _signature(arguments: ast.arguments, module: str, texts: list[str]) -> Signature:
    """Of an `__init__`; its first argument is `self`."""
    helps = {name: help for text in texts for name, help in _helps(text).items()}
    names = [*arguments.posonlyargs, *arguments.args][1:]
    padding: list[ast.expr | None] = [None] * len(names)
    given = [*zip(names, [*padding, *arguments.defaults][-len(names) :] if names else [], strict=True)]
    given += [*zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    made = {one.arg: _argument(one.annotation, default, module, helps.get(one.arg, "")) for one, default in given}
    return Signature(made, arguments.kwarg is not None, texts[0].partition("\n")[0])


def _argument(annotation: ast.expr | None, default: ast.expr | None, module: str, text: str) -> Argument:
    """One argument; its default is `_UNTOLD` where that takes more than reading."""
    group = None if annotation is None else _group(annotation, module, default)
    return Argument(
        Any if annotation is None else _type(annotation, module),
        REQUIRED if default is None else None if group else _value(default, module),
        text,
        group,
        isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Callable",
    )


def _group(annotation: ast.expr, module: str, default: ast.expr | None) -> Signature | None:
    """The arguments of a dataclass, alone or `| None`, with the defaults that a call of it sets."""
    names = annotation.left if isinstance(annotation, ast.BinOp) else annotation
    found = _definition(module, names.id) if isinstance(names, ast.Name) else None
    if found is None or not isinstance(found[1], ast.ClassDef) or "dataclass" not in ast.dump(found[1]):
        return None
    text = ast.get_docstring(found[1]) or ""
    helps = _helps(text)
    set_to = {one.arg: one.value for one in default.keywords} if isinstance(default, ast.Call) else {}
    fields = [one for one in found[1].body if isinstance(one, ast.AnnAssign)]
    made = {}
    for one in fields:
        name = ast.unparse(one.target)
        own = _argument(one.annotation, one.value, found[0], helps.get(name, ""))
        made[name] = replace(own, default=_value(set_to[name], module)) if name in set_to else own
    return Signature(made, False, text.partition("\n")[0])


def signature_of_function(function: Callable[..., Any]) -> Signature:
    """The signature of a function that is there already."""
    helps = _helps(inspect.getdoc(function) or "")
    made = {
        name: Argument(one.annotation, one.default, helps.get(name, ""))
        for name, one in inspect.signature(function).parameters.items()
    }
    return Signature(made, False, (inspect.getdoc(function) or "").partition("\n")[0])


def _imported(target: Callable[..., Any]) -> Signature:
    """The signature of a class whose source does not tell it."""
    parameters = inspect.signature(target).parameters.values()
    kinds = {parameter.kind for parameter in parameters}
    names = {one.name: one for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    helps = _helps(inspect.getdoc(target) or "")
    made = {name: Argument(Any, one.default, helps.get(name, "")) for name, one in names.items()}
    return Signature(made, inspect.Parameter.VAR_KEYWORD in kinds, (inspect.getdoc(target) or "").partition("\n")[0])


def _helps(docstring: str) -> dict[str, str]:
    """The texts of a docstring's arguments."""
    from docstring_parser import parse

    return {param.arg_name: " ".join((param.description or "").split()) for param in parse(docstring).params}


@lru_cache
def _tree(module: str) -> ast.Module | None:
    """The parsed source of a module, found without importing it."""
    admit(module)
    path = module_file(module)
    return None if path is None else ast.parse(path.read_bytes())


def _definition(module: str, name: str) -> tuple[str, ast.AST] | None:
    """Where a name is defined, following imports: the module, and its class or its value."""
    tree = _tree(module)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            return module, node.value
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _definition(node.module, alias.name)
    return None


class _Init(NamedTuple):
    """An `__init__`, the class that it is written in, and the module of that."""

    function: ast.FunctionDef
    owner: ast.ClassDef
    module: str


def _init(node: ast.ClassDef, module: str) -> _Init | None:
    """The `__init__` of a class or of the nearest base that has one; None where there is none."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _Init(item, node, module)
    if node.decorator_list:
        raise _UnknownError
    for base in node.bases:
        found = _definition(module, base.id) if isinstance(base, ast.Name) else None
        if found is None or not isinstance(found[1], ast.ClassDef):
            raise _UnknownError
        if init := _init(found[1], found[0]):
            return init
    return None


def _value(node: ast.AST, module: str) -> Any:
    """A default: a literal, a name of one, a product or quotient of them, or a class by its path; else `_UNTOLD`."""
    if isinstance(node, ast.Name) and (definition := _definition(module, node.id)):
        place, value = definition
        return {"class_path": f"{place}.{node.id}"} if isinstance(value, ast.ClassDef) else _value(value, place)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        sides = [_value(side, module) for side in (node.left, node.right)]
        return _UNTOLD if _UNTOLD in sides else _ARITHMETIC[type(node.op)](*sides)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "field":  # of a dataclass
        return _value(node.keywords[0].value, module)
    if isinstance(node, ast.Lambda):
        return _value(node.body, module)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return _UNTOLD


class _UnknownError(Exception):
    """The source does not tell a type."""


def _type(node: ast.expr, module: str) -> Any:
    """The type that an annotation says; Any where that takes more than reading."""
    try:
        return _evaluated(node, module)
    except (_UnknownError, TypeError):
        return Any


def _evaluated(node: ast.AST, module: str) -> Any:
    if isinstance(node, ast.Constant):
        return (
            _evaluated(ast.parse(node.value, mode="eval").body, module) if isinstance(node.value, str) else node.value
        )
    if isinstance(node, ast.BinOp):
        return typing.Union[_evaluated(node.left, module), _evaluated(node.right, module)]  # noqa: UP007
    if isinstance(node, ast.Subscript):
        return _subscripted(node, module)
    if isinstance(node, ast.Name):
        if node.id in _KNOWN:
            return _KNOWN[node.id]
        if found := _definition(module, node.id):
            return _evaluated(found[1], found[0])
    raise _UnknownError


def _subscripted(node: ast.Subscript, module: str) -> Any:
    """`Literal[…]`, `Optional[…]`, `Union[…]`, `list[…]` and their like."""
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    name = node.value.id if isinstance(node.value, ast.Name) else ""
    if name == "Literal":
        return typing.Literal[tuple(ast.literal_eval(item) for item in items)]
    inside = tuple(
        ... if isinstance(item, ast.Constant) and item.value is ... else _evaluated(item, module) for item in items
    )
    if name in ("Union", "Optional"):
        more = (None,) if name == "Optional" else ()
        return reduce(lambda one, other: typing.Union[one, other], (*inside, *more))  # noqa: UP007
    if name in _KNOWN:
        return operator.getitem(_KNOWN[name], inside if len(inside) > 1 else inside[0])
    raise _UnknownError
