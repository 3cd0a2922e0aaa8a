"""What a job's templates may say and what they become: sandboxed, strict Jinja2.

The door of jinja2.
"""

from bulkip.templates.address import Address
from bulkip.templates.scope import ItemFields, JobFields, PeriodFields, Row, RunFields, Scope
from bulkip.templates.template import Constant, Rendering, Template, TemplateError, compile_template

__all__ = [
    "Address",
    "Constant",
    "ItemFields",
    "JobFields",
    "PeriodFields",
    "Rendering",
    "Row",
    "RunFields",
    "Scope",
    "Template",
    "TemplateError",
    "compile_template",
]
