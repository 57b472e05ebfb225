"""XML from outside as a plain tree: local names only, no document types, no entities (protocols/cameras.md 3.1).

Promises: bounded depth and size; a document type is refused before anything in it is read, so no entity can grow.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from backend.parking.cameras.base import CameraError, decoded

MAX_DEPTH = 32
MAX_NODES = 4000


@dataclass(slots=True)
class Node:
    """One element: its text without the space around it, and its children in order."""

    name: str
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def child(self, name: str) -> "Node | None":
        """The first child of that name."""
        return next((node for node in self.children if node.name == name), None)

    def value(self, *path: str) -> str:
        """The text at `path`, empty where there is none."""
        node: Node | None = self
        for name in path:
            node = node.child(name) if node else None
        return node.text.strip() if node else ""


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_NODES or len(self._open) >= MAX_DEPTH:
            raise CameraError("xml_too_large")
        node = Node(name.rpartition(":")[2])
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text

    def refuse(self, *told: object) -> None:
        raise CameraError("xml_doctype")


def parse(body: bytes) -> Node:
    """The root of the document; its declared encoding is not believed. CameraError for what is not well-formed."""
    builder = _Builder()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(decoded(body).strip().encode(), True)
    except expat.ExpatError as error:
        raise CameraError("bad_xml") from error
    if builder.root is None:
        raise CameraError("bad_xml")
    return builder.root
