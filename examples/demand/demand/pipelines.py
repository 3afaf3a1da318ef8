"""The two pipelines of this project: from invoices to history, and from history to a forecast."""

from demand.card import data_card
from demand.choose import choice, scores, trials
from demand.dirt import judged, lines, set_aside
from demand.features import features
from demand.history import happened, history, products
from demand.holdout import holdout, trained_rows
from demand.interval import interval
from demand.layouts import layout
from demand.predict import forecast
from demand.train import booster, line, settings
from demand.windows import windows
from lockgate import Pipeline

sales = Pipeline(
    "sales",
    kind="data",
    steps=[layout, judged, lines, set_aside, products, history, happened, data_card],
    publishes=["history", "products", "happened"],
)

demand = Pipeline(
    "demand",
    kind="training",
    steps=[
        windows, features, settings, trials, scores, choice,
        booster, line, interval, holdout, trained_rows,
    ],
    predictor=forecast,
    holdout="holdout",
    trained_rows="trained_rows",
)  # fmt: skip
