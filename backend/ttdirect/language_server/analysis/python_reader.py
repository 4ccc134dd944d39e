"""One walk through a Python file's syntax tree, which gathers its facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttdirect.language_server.analysis.expressions import UNKNOWN, Expression, Names
from ttdirect.language_server.analysis.grammars import parse_again
from ttdirect.language_server.analysis.python import (
    Assignment,
    Call,
    Comparison,
    Function,
    PythonFacts,
)
from ttdirect.language_server.analysis.routes import find_routes
from ttdirect.language_server.analysis.scopes import Binding, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node, Tree

    from ttdirect.language_server.analysis.source import Source, Span


def read_python(source: Source) -> PythonFacts:
    """The facts of a Python text; what the parser cannot make sense of is left out."""
    return read_tree(source, parse_again("python", source, None))


def read_tree(source: Source, tree: Tree) -> PythonFacts:
    """The facts of a Python text whose syntax tree is there already."""
    facts = PythonFacts(source, tree, Scope("module", "", None), Names(source))
    _Reader(facts).read(facts.root)
    find_routes(facts)
    return facts


@dataclass(frozen=True, slots=True)
class _Here:
    """Where the walk is."""

    scope: Scope
    function: Function | None = None
    held: tuple[Expression, ...] = ()
    is_guarded: bool = False
    is_main: bool = False


class _Reader:
    def __init__(self, facts: PythonFacts) -> None:
        self._facts = facts
        self._of = facts.source.of
        self._handlers: dict[str, Callable[[Node, _Here], None]] = {
            "function_definition": self._function,
            "decorated_definition": self._decorated,
            "class_definition": self._class,
            "lambda": self._lambda,
            "call": self._call,
            "assignment": self._assignment,
            "augmented_assignment": self._augmented,
            "named_expression": self._walrus,
            "comparison_operator": self._comparison,
            "import_statement": self._import,
            "import_from_statement": self._import_from,
            "global_statement": self._global,
            "nonlocal_statement": self._global,
            "with_statement": self._with,
            "if_statement": self._if,
            "for_statement": self._loop,
            "for_in_clause": self._loop,
            "return_statement": self._return,
            "yield": self._yield,
            "string": self._string,
            "except_clause": self._except,
        }

    def read(self, root: Node) -> None:
        here = _Here(self._facts.module)
        imports_end = 0
        is_top = True
        for child in root.named_children:
            if child.type in (
                "import_statement",
                "import_from_statement",
                "future_import_statement",
            ):
                imports_end = child.end_byte if is_top else imports_end
            elif child.type not in ("comment", "expression_statement"):
                is_top = False
            self._visit(child, here)
        self._facts.last_import_end = self._facts.source.at(imports_end)

    def _visit(self, node: Node, here: _Here) -> None:
        handler = self._handlers.get(node.type)
        if handler is not None:
            handler(node, here)
        else:
            self._children(node, here)

    def _children(self, node: Node, here: _Here) -> None:
        for child in node.named_children:
            if child.child_count or child.type == "string":
                self._visit(child, here)

    def _expression(self, node: Node, scope: Scope) -> Expression:
        return Expression(node, scope, self._facts.names)

    # Definitions

    def _decorated(self, node: Node, here: _Here) -> None:
        definition = node.child_by_field_name("definition")
        decorators = [it for it in node.named_children if it.type == "decorator"]
        for decorator in decorators:
            self._children(decorator, here)
        if definition is None:
            return
        if definition.type == "function_definition":
            self._function(definition, here, decorators, node)
        else:
            self._visit(definition, here)

    def _function(
        self,
        node: Node,
        here: _Here,
        decorators: list[Node] | None = None,
        whole: Node | None = None,
    ) -> None:
        name_node = node.child_by_field_name("name")
        if name_node is None:
            return
        name, source = self._of(name_node), self._facts.source
        scope = Scope("function", f"{here.scope.symbol}.{name}", here.scope)
        marks = tuple(
            self._expression(it.named_children[0], here.scope)
            for it in decorators or []
            if it.named_children
        )
        function = Function(
            name,
            scope.symbol,
            source.span(whole or node),
            scope,
            marks,
        )
        here.scope.bind(name, Binding(None, here.scope, symbol=scope.symbol))
        self._facts.functions[scope.symbol] = function
        self._parameters(node.child_by_field_name("parameters"), here, scope)
        body = node.child_by_field_name("body")
        if body is not None:
            self._children(body, _Here(scope, function, is_main=here.is_main))

    def _parameters(self, parameters: Node | None, here: _Here, scope: Scope) -> None:
        owner = here.scope if here.scope.kind == "class" else None
        for position, parameter in enumerate(parameters.named_children if parameters else []):
            name = parameter.child_by_field_name("name") or parameter
            if parameter.type == "typed_parameter":
                name = parameter.named_children[0]
            kind = parameter.child_by_field_name("type")
            default = parameter.child_by_field_name("value")
            if default is not None:
                self._visit(default, here)
            binding = Binding(None, scope)
            if kind is not None and kind.named_children:
                # `app: Flask` is an instance, whatever is handed over.
                symbols = self._facts.names.symbols(kind.named_children[0], here.scope)
                if len(symbols) == 1:
                    binding = Binding(None, scope, symbol=f"{next(iter(symbols))}()")
            elif owner is not None and position == 0:
                binding = Binding(None, scope, symbol=f"{owner.symbol}()")
            scope.bind(self._of(name).lstrip("*"), binding)

    def _class(self, node: Node, here: _Here) -> None:
        name_node = node.child_by_field_name("name")
        if name_node is None:
            return
        name = self._of(name_node)
        scope = Scope("class", f"{here.scope.symbol}.{name}", here.scope)
        here.scope.bind(name, Binding(None, here.scope, symbol=scope.symbol))
        self._facts.names.classes[scope.symbol] = scope
        body = node.child_by_field_name("body")
        if body is not None:
            self._children(body, replace(here, scope=scope))

    def _lambda(self, node: Node, here: _Here) -> None:
        # It runs whenever somebody calls it: what it calls is left out, but its names are noted.
        scope = Scope("function", f"{here.scope.symbol}.<lambda>", here.scope)
        self._parameters(node.child_by_field_name("parameters"), here, scope)

    # Bindings

    def _import(self, node: Node, here: _Here) -> None:
        for item in node.named_children:
            if item.type == "aliased_import":
                module, alias = item.named_children[0], item.named_children[-1]
                here.scope.bind(self._of(alias), Binding(None, here.scope, symbol=self._of(module)))
            elif item.type == "dotted_name":
                first = self._of(item).partition(".")[0]
                here.scope.bind(first, Binding(None, here.scope, symbol=first))

    def _import_from(self, node: Node, here: _Here) -> None:
        module_node = node.child_by_field_name("module_name")
        module = "" if module_node is None else self._of(module_node)
        for item in node.named_children:
            if item == module_node:
                continue
            if item.type == "aliased_import":
                name, alias = item.named_children[0], item.named_children[-1]
                symbol = f"{module}.{self._of(name)}"
                here.scope.bind(self._of(alias), Binding(None, here.scope, symbol=symbol))
            elif item.type == "dotted_name":
                name = self._of(item)
                here.scope.bind(name, Binding(None, here.scope, symbol=f"{module}.{name}"))

    def _global(self, node: Node, here: _Here) -> None:
        here.scope.outer_names.update(self._of(it) for it in node.named_children)

    def _assignment(self, node: Node, here: _Here) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and right is not None:
            self._bind(left, right, here)
            if left.type in ("identifier", "attribute", "subscript"):
                target = self._expression(left, here.scope)
                value = self._expression(right, here.scope)
                self._facts.assignments.append(Assignment(target, value))
            self._visit(right, here)
        elif left is not None:
            kind = node.child_by_field_name("type")
            if kind is not None and left.type == "identifier":
                here.scope.bind(self._of(left), Binding(None, here.scope))

    def _bind(self, left: Node, right: Node, here: _Here, element: int | None = None) -> None:
        if left.type == "identifier":
            here.scope.bind(self._of(left), Binding(right, here.scope, element))
        elif left.type == "attribute":
            self._bind_attribute(left, Binding(right, here.scope, element))
            self._note_own_attribute(left, Binding(right, here.scope, element), here)
        elif left.type in ("pattern_list", "tuple_pattern", "list_pattern"):
            values = right.named_children if right.type in ("expression_list", "tuple") else None
            for position, item in enumerate(left.named_children):
                if values is not None and len(values) == len(left.named_children):
                    self._bind(item, values[position], here)
                elif element is None:
                    self._bind(item, right, here, position)
                elif item.type == "identifier":  # an element of an element: nobody asks for that
                    here.scope.bind(self._of(item), Binding(None, here.scope))

    def _bind_attribute(self, left: Node, binding: Binding) -> None:
        if not self._of(left).startswith("self."):
            attributes = self._facts.module.attributes
            attributes.setdefault(self._of(left), []).append(binding)

    def _note_own_attribute(self, left: Node, binding: Binding, here: _Here) -> None:
        owner = here.scope.class_scope
        owned = left.child_by_field_name("object")
        name = left.child_by_field_name("attribute")
        if owner is None or owned is None or name is None or self._of(owned) != "self":
            return
        owner.attributes.setdefault(self._of(name), []).append(binding)

    def _augmented(self, node: Node, here: _Here) -> None:
        left = node.child_by_field_name("left")
        if left is not None and left.type == "identifier":
            here.scope.bind(self._of(left), Binding(None, here.scope))
        self._children(node, here)

    def _walrus(self, node: Node, here: _Here) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is not None and value is not None:
            here.scope.bind(self._of(name), Binding(value, here.scope))
            self._visit(value, here)

    def _loop(self, node: Node, here: _Here) -> None:
        left = node.child_by_field_name("left")
        for name in [] if left is None else [left, *left.named_children]:
            if name.type == "identifier":
                here.scope.bind(self._of(name), Binding(None, here.scope))
        self._children(node, here)

    # Statements around others

    def _with(self, node: Node, here: _Here) -> None:
        held: list[Expression] = []
        body = node.child_by_field_name("body")
        for clause in node.named_children:
            for item in clause.named_children if clause.type == "with_clause" else []:
                value = item.child_by_field_name("value")
                if value is None:
                    continue
                self._visit(value, here)
                if value.type == "as_pattern":
                    value, target = value.named_children[0], value.named_children[-1]
                    for name in target.named_children:
                        self._bind(name, value, here)
                held.append(self._expression(value, here.scope))
        if body is not None:
            self._children(body, replace(here, held=(*here.held, *held)))

    def _if(self, node: Node, here: _Here) -> None:
        condition = node.child_by_field_name("condition")
        text = "" if condition is None else self._of(condition)
        is_main = "__name__" in text and "__main__" in text and "==" in text
        inside = replace(here, is_guarded=not is_main, is_main=here.is_main or is_main)
        outside = replace(here, is_guarded=True)
        consequence = node.child_by_field_name("consequence")
        for child in node.named_children:
            if child == consequence:
                self._children(child, inside)
            elif child == condition:
                self._visit(child, here)
            elif child.type != "comment":
                self._children(child, outside)

    def _except(self, node: Node, here: _Here) -> None:
        self._children(node, replace(here, is_guarded=True))

    def _return(self, node: Node, here: _Here) -> None:
        if here.function is not None and node.named_children:
            value = (node.named_children[0], here.scope)
            self._facts.names.returns.setdefault(here.function.symbol, []).append(value)
        self._children(node, here)

    def _yield(self, node: Node, here: _Here) -> None:
        if here.function is not None:
            here.function.yields.append(self._facts.source.span(node))
        self._children(node, here)

    # Expressions

    def _call(self, node: Node, here: _Here) -> None:
        callee = node.child_by_field_name("function")
        brackets = node.child_by_field_name("arguments")
        if callee is None or brackets is None:
            return
        self._visit(callee, here)
        positional: list[Expression] = []
        keywords: dict[str, Expression] = {}
        keyword_spans: dict[str, Span] = {}
        takes_rest = False
        items = [brackets] if brackets.type == "generator_expression" else brackets.named_children
        for item in items:
            name, value = item.child_by_field_name("name"), item.child_by_field_name("value")
            if item.type in ("list_splat", "dictionary_splat"):
                takes_rest = True
            elif item.type == "keyword_argument" and name is not None and value is not None:
                keywords[self._of(name)] = self._expression(value, here.scope)
                keyword_spans[self._of(name)] = self._facts.source.span(item)
            elif item.type != "comment" and not takes_rest:
                positional.append(self._expression(item, here.scope))
            self._visit(item, here)
        source = self._facts.source
        call = Call(
            callee=self._expression(callee, here.scope),
            arguments=tuple(positional),
            keywords=keywords,
            span=source.span(node),
            arguments_span=source.span(brackets),
            function=here.function,
            held=here.held,
            is_guarded=here.is_guarded,
            is_main=here.is_main,
            takes_rest=takes_rest,
            keyword_spans=keyword_spans,
            node=node,
        )
        self._facts.calls.append(call)
        owner = "" if here.function is None else here.function.symbol
        self._facts.calls_in.setdefault(owner, []).append(call)
        if call.name == "add_argument":
            self._note_option(call)

    def _note_option(self, call: Call) -> None:
        default = call.keywords.get("default")
        for argument in call.arguments:
            flag = argument.value
            if default is not None and flag is not UNKNOWN and str(flag).startswith("--"):
                name = str(flag)[2:].replace("-", "_")
                self._facts.names.options[name] = (default.node, default.scope)

    def _comparison(self, node: Node, here: _Here) -> None:
        children = node.children
        if len(children) == 3 and children[1].type in ("==", "!="):
            self._facts.comparisons.append(
                Comparison(
                    self._expression(children[0], here.scope),
                    self._expression(children[2], here.scope),
                    children[1].type,
                    self._facts.source.span(node),
                )
            )
        self._children(node, here)

    def _string(self, node: Node, here: _Here) -> None:
        self._facts.strings.append(self._expression(node, here.scope))
        for child in node.named_children:
            if child.type == "interpolation":
                self._children(child, here)
