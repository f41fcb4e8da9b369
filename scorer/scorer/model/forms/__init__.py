"""The forms a stage can have: for each, which arrays it is made of and one pure function that evaluates it.

Estimators and transforms are entries of one table, not classes: a new one is a new line in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.model.forms import dot, ellipse, forest, plane, projection, radial, scaling

if TYPE_CHECKING:
    from scorer.model.forms.form import Form

FORMS: dict[str, Form] = {
    **scaling.FORMS,
    **projection.FORMS,
    **radial.FORMS,
    **dot.FORMS,
    **plane.FORMS,
    **ellipse.FORMS,
    **forest.FORMS,
}
