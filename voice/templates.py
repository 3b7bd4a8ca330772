"""Jinja templates as all our mails and pages use them: everything is escaped, and a name that is not given is a mistake."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


@cache
def template(path: Path) -> Template:
    """The template in that file."""
    folder = FileSystemLoader(path.parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(path.name)
