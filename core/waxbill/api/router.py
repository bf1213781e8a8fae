"""The router: a tree of path segments. Falcon's compiles its routes to code at the first request, 2.7 MB for ours."""

from __future__ import annotations

from typing import Any

from falcon.routing import CompiledRouter, map_http_methods, set_default_responders


class _Node:
    """What can follow a path: literal segments, or one field; and the resource that it leads to, if any."""

    __slots__ = ("field", "literals", "route")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.field: _Node | None = None
        #: Resource, responders by method, names of the fields, template.
        self.route: tuple[object, dict[str, Any], tuple[str, ...], str] | None = None


class Router(CompiledRouter):
    """Finds resources by path; a literal segment counts before a field. Templates with converters, which plugins may
    add, are left to Falcon's router."""

    def __init__(self) -> None:
        super().__init__()
        self._tree = _Node()
        self._compiled = False

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        parts = uri_template[1:].split("/")
        if kwargs or any(("{" in part or "}" in part) and not part[1:-1].isidentifier() for part in parts):
            self._compiled = True
            super().add_route(uri_template, resource, **kwargs)
            return
        node, names = self._tree, []
        for part in parts:
            if part.startswith("{"):
                names.append(part[1:-1])
                node.field = node.field or _Node()
                node = node.field
            else:
                node = node.literals.setdefault(part, _Node())
        methods = map_http_methods(resource)
        set_default_responders(methods)
        node.route = (resource, methods, tuple(names), uri_template)

    def find(self, uri: str, req: Any = None) -> Any:
        values: list[str] = []
        route = _find(self._tree, uri[1:].split("/"), 0, values)
        if route is not None:
            resource, methods, names, template = route
            return resource, methods, dict(zip(names, values, strict=True)), template
        return super().find(uri, req) if self._compiled else None


def _find(node: _Node, parts: list[str], at: int, values: list[str]) -> Any:
    """The route of the segments from ``at`` on, with the values of its fields; None where there is none."""
    if at == len(parts):
        return node.route
    part = parts[at]
    literal = node.literals.get(part)
    if literal is not None:
        route = _find(literal, parts, at + 1, values)
        if route is not None:
            return route
    if node.field is not None and part:
        values.append(part)
        route = _find(node.field, parts, at + 1, values)
        if route is not None:
            return route
        values.pop()
    return None
