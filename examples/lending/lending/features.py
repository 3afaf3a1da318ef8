"""What a model may see: numbers from the application form and the credit report, and nothing about who the person is.

Left out on purpose, although the published file has them:

- race, sex, age, marital status, dependants: forbidden grounds or close to one (ECOA, 15 U.S.C. 1691). They are for the audit;
- `min30`, whether many minorities live in the tract: race by another name;
- `gdlin`, `unver`, `review`: what the officer thought of the application while deciding it. They predict well because they
  are half of the decision;
- `typur`, `inson`, `action`: known only after the decision.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

FEATURES: dict[str, int] = {
    "housing_ratio": -1,
    "debt_ratio": -1,
    "loan_to_value": -1,
    "income": 1,
    "liquid_assets": 1,
    "net_worth": 1,
    "consumer_credit": -1,
    "mortgage_credit": 0,
    "bankruptcy": -1,
    "self_employed": 0,
    "several_units": 0,
    "industry_unemployment": -1,
}
"""Each feature, and which way it may push: 1 more never harms, -1 more never helps, 0 either way.

No applicant shall be turned down for earning more; with 659 rows to learn from, a model needs to be told.
"""


def features(asked: pl.DataFrame) -> NDArray[np.float64]:
    """The numbers a model sees, one row per request, columns in the order of `FEATURES`; not known is NaN.

    One function for training and for serving.
    """
    return asked.select(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in FEATURES).to_numpy()
