"""HTML pages from the templates in a folder of this package."""

from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape


def render(template: str, folder: str = "report", /, **values: Any) -> str:
    """A page; what is not markup of the template is escaped.

    Args:
        template: name of its file.
        folder: of the package, in which it lies.
        **values: that it shows.
    """
    environment = Environment(loader=PackageLoader("acr_lightning", folder), autoescape=select_autoescape())
    return environment.get_template(template).render(**values)
