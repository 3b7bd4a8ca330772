"""The tag tree of a PDF, as an assistive technology walks it."""

import io
from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader


class Tags:
    """What a tagged PDF says of itself and of its parts."""

    def __init__(self, pdf: bytes) -> None:
        reader = PdfReader(io.BytesIO(pdf))
        self.root: Any = reader.trailer["/Root"]
        self.title = reader.metadata.title if reader.metadata else None
        self.metadata = self.root["/Metadata"].get_data().decode()
        self.elements = list(_walk(self.root["/StructTreeRoot"]["/K"]))
        self.pages = list(reader.pages)

    @property
    def headings(self) -> list[int]:
        """The levels of the headings in reading order."""
        return [int(kind[2:]) for element in self.elements if (kind := element["/S"]).startswith("/H") and kind[2:].isdigit()]

    def of(self, kind: str) -> list[Any]:
        return [element for element in self.elements if element["/S"] == f"/{kind}"]


def _walk(kids: Any) -> Iterator[Any]:
    kids = kids.get_object() if hasattr(kids, "get_object") else kids
    for kid in kids if isinstance(kids, list) else [kids]:
        element = kid.get_object() if hasattr(kid, "get_object") else kid
        if isinstance(element, dict) and "/S" in element:
            yield element
            yield from _walk(element.get("/K", []))
