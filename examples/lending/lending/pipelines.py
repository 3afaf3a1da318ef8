"""The two pipelines of this project: from published applications to clean ones, and from these to a decision."""

from lending.applications import applications
from lending.choose import trials
from lending.decide import decide
from lending.holdout import best_simple, holdout, trained_rows
from lending.split import judging, training
from lending.train import bar, booster, weights
from lockgate import Pipeline

clean = Pipeline("clean", kind="data", steps=[applications], publishes=["applications"])

lending = Pipeline(
    "lending",
    kind="training",
    steps=[training, judging, weights, booster, bar, trials, best_simple, holdout, trained_rows],
    predictor=decide,
    holdout="holdout",
    trained_rows="trained_rows",
)
