"""Published numbers of paired tests and of multiplicity. Each test names its source."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.evaluation.intervals import clopper_pearson, jeffreys, wilson
from lockgate.evaluation.mcnemar import discordant, mcnemar, paired_shares
from lockgate.evaluation.multiplicity import adjusted
from lockgate.evaluation.roc import auc, compare_auc, delong
from lockgate.evaluation.scored import Scored

# ── McNemar ──────────────────────────────────────────────────────────────────


def test_mcnemar_of_the_textbook_table():
    """[[101, 121], [59, 33]]: the example of Wikipedia's article and of statsmodels' tests."""
    found = mcnemar(121, 59)
    assert found.chi2 == pytest.approx(21.3556, abs=5e-5)
    assert found.chi2_corrected == pytest.approx(20.6722, abs=5e-5)
    assert found.exact == pytest.approx(4.434e-6, abs=5e-10)


def test_mcnemar_of_fagerland_lydersen_laake_2013():
    """Complete response before and after consolidation therapy (Cavo et al. 2012): 6 against 16."""
    found = mcnemar(6, 16)
    assert (round(found.exact, 5), round(found.mid_p, 5)) == (0.05248, 0.03469)
    assert (round(found.p_corrected, 5), round(found.p_value, 5)) == (0.05501, 0.03301)
    assert round(mcnemar(1, 7).mid_p, 4) == 0.0391  # airway hyper-responsiveness, Bentur et al. 2009
    assert round(mcnemar(1, 7).exact, 4) == 0.0703


def test_mcnemar_without_a_difference_and_without_a_row():
    assert mcnemar(5, 5).exact == 1.0
    assert mcnemar(5, 5).mid_p == pytest.approx(1 - 0.5 * 252 / 1024)
    assert np.isnan(mcnemar(0, 0).mid_p)
    assert mcnemar(0, 3).exact == 0.25


def test_paired_shares_of_newcombe_1998():
    """Statistics in Medicine 17, 2635, table II, method 10: 36, 12, 2, 0. Bentur: Fagerland et al. 2014."""
    found = paired_shares(36, 12, 2, 0)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0569, 0.3404)
    bentur = paired_shares(1, 1, 7, 12)
    assert (round(bentur.low, 3), round(bentur.high, 3)) == (-0.507, -0.026)


def test_discordant_rows_of_two_tables():
    rows = {"y": np.ones(6), "a": np.array([1.0, 1, 1, 0, 0, 1]), "b": np.array([1.0, 0, 0, 1, 0, 0])}
    test, gain = discordant(Scored(columns=rows, truth="y", answer="a"), Scored(columns=rows, truth="y", answer="b"))
    assert (test.first_only, test.second_only) == (3, 1)
    assert gain.value == pytest.approx(2 / 6)


# ── intervals of a share ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [(wilson, 0.2553, 0.3662), (clopper_pearson, 0.2527, 0.3676), (jeffreys, 0.2546, 0.3657)],
)
def test_intervals_of_newcombe_1998(make, low, high):
    """81 of 263: Newcombe 1998, table I, methods 3 and 5; Jeffreys by scipy's beta distribution."""
    found = make(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == pytest.approx((low, high), abs=1.01e-4)


def test_exact_interval_against_scipy():
    from scipy.stats import binomtest

    for hits, n in ((0, 46), (1, 9), (20, 20), (333, 1000)):
        theirs = binomtest(hits, n).proportion_ci(method="exact")
        ours = clopper_pearson(hits, n)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


# ── DeLong ───────────────────────────────────────────────────────────────────


def direct(truth, scores):
    """DeLong, DeLong and Clarke-Pearson 1988 as they write it: every pair of a yes and a no."""
    areas, tens, ones = [], [], []
    for score in scores:
        above = (score[truth][:, None] > score[~truth][None]) + 0.5 * (score[truth][:, None] == score[~truth][None])
        areas.append(above.mean())
        tens.append(above.mean(1))
        ones.append(above.mean(0))
    return np.array(areas), np.cov(tens) / truth.sum() + np.cov(ones) / (~truth).sum()


@pytest.mark.parametrize("ties", [False, True])
def test_delong_is_what_its_authors_wrote(ties):
    random = np.random.default_rng(2)
    truth = random.random(113) < 41 / 113
    scores = [truth * shift + random.normal(size=113) for shift in (1.2, 0.7, 0.3)]
    scores = [np.round(s * 2) if ties else s for s in scores]
    areas, covariance = direct(truth, scores)
    found = delong(truth, scores)
    assert found.values == pytest.approx(areas, abs=1e-14)
    assert found.covariance == pytest.approx(covariance, abs=1e-15)


def test_delong_by_hand():
    """Two of each: three of the four pairs are in order; S10 and S01 have one half and one whole."""
    found = delong(np.array([True, True, False, False]), [np.array([0.9, 0.4, 0.5, 0.1])])
    assert found.values[0] == 0.75
    assert found.covariance[0, 0] == pytest.approx(0.125 / 2 + 0.125 / 2)


def test_auc_holds_the_truth_and_stays_within_bounds():
    """Normal scores one apart have an area of 0.76025; 300 seeded samples of 60."""
    held = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        truth = np.arange(60) % 2
        rows = {"y": truth * 1.0, "f": truth * 1.0, "p": truth + random.normal(size=60)}
        found = auc(Scored(columns=rows, truth="y", answer="f", score="p"))
        assert 0 <= found.low < found.high <= 1
        held += found.low <= 0.760250 <= found.high
    assert 0.91 <= held / 300 <= 0.99


def test_perfect_order_is_not_perfect_knowledge():
    rows = {"y": np.repeat([0.0, 1.0], 20), "f": np.zeros(40), "p": np.arange(40.0), "q": np.arange(40.0) * 2}
    found = auc(Scored(columns=rows, truth="y", answer="f", score="p"))
    assert found.value == 1.0
    assert 0.85 < found.low < 0.999
    same = compare_auc(*(Scored(columns=rows, truth="y", answer="f", score=s) for s in ("p", "q")))
    assert (same.difference.value, same.difference.low, same.difference.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_scores_of_a_cluster_count_for_less():
    random = np.random.default_rng(5)
    truth, luck = np.arange(50) % 2 * 1.0, random.normal(size=50)
    rows = {"y": np.tile(truth, 8), "p": np.tile(truth + luck, 8), "c": np.tile(np.arange(50), 8)}
    alone = auc(Scored(columns=rows, truth="y", answer="y", score="p"))
    whole = auc(Scored(columns=rows, truth="y", answer="y", score="p", cluster="c"))
    assert (whole.high - whole.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(8), rel=0.1)
    assert (whole.blocks, whole.unit) == (50, "cluster")


# ── many tests ───────────────────────────────────────────────────────────────

BENJAMINI_HOCHBERG_1995 = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "rejected"),
    [("bonferroni", 3), ("holm", 3), ("benjamini_hochberg", 4), ("benjamini_yekutieli", 3)],
)
def test_example_of_benjamini_and_hochberg_1995(method, rejected):
    """Thrombolysis in acute myocardial infarction, section 4.1: fifteen comparisons."""
    found = adjusted(BENJAMINI_HOCHBERG_1995, method)
    assert int((found <= 0.05).sum()) == rejected


def test_adjusted_p_values_against_scipy():
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).random(40) ** 2
    assert adjusted(p, "benjamini_hochberg") == pytest.approx(false_discovery_control(p))
    assert adjusted(p, "benjamini_yekutieli") == pytest.approx(false_discovery_control(p, method="by"))
