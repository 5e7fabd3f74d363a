"""HTML pages from the templates beside this file."""

from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape


def render(template: str, **values: Any) -> str:
    """A page; what is not markup of the template is escaped."""
    environment = Environment(loader=PackageLoader("acr_lightning", "report"), autoescape=select_autoescape())
    return environment.get_template(template).render(**values)
