"""Published numbers of paired tests, multiplicity, ranks, folds and repeated looks. Each test names its source."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.evaluation.folds import corrected_t, variance_factor
from lockgate.evaluation.intervals import clopper_pearson, jeffreys, wilson
from lockgate.evaluation.mcnemar import discordant, mcnemar, paired_shares
from lockgate.evaluation.multiplicity import adjusted
from lockgate.evaluation.planning import chances_of_comparison, chances_of_gap, error_of_gap, error_of_paired_shares
from lockgate.evaluation.ranking import critical_difference, friedman, signed_ranks
from lockgate.evaluation.roc import auc, compare_auc, delong
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.sequential import false_alarm, group_sequential, likelihood_ratio

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


# ── several methods on several data sets: Demšar 2006 ────────────────────────

DEMSAR_TABLE_6 = [
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931], [0.661, 0.668, 0.609, 0.685],
    [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875], [1.0, 1.0, 1.0, 1.0], [0.940, 0.962, 0.965, 0.962],
    [0.619, 0.666, 0.614, 0.669], [0.972, 0.981, 0.975, 0.975], [0.957, 0.978, 0.946, 0.970],
]  # fmt: skip


def voting_as_ranked():
    """The row `voting` prints .975 twice and is ranked 2 and 3: the numbers before rounding differed."""
    table = [list(row) for row in DEMSAR_TABLE_6]
    table[12][2] += 1e-4
    return table


def test_friedman_and_nemenyi():
    found = friedman(voting_as_ranked())
    assert found.ranks.round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    assert (round(found.chi2, 2), round(found.f, 2)) == (9.28, 3.69)
    assert found.f_p_value < 0.05  # F(3, 39) at 5% is 2.85
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)


def test_friedman_with_the_tie_as_printed():
    found = friedman(DEMSAR_TABLE_6)
    assert found.ranks.round(3).tolist() == [3.143, 2.0, 2.929, 1.929]
    assert found.chi2 == pytest.approx(9.857, abs=5e-4)


def test_wilcoxon_of_demsar():
    plain, pruned = (np.array(DEMSAR_TABLE_6)[:, at] for at in (0, 1))
    assert signed_ranks(plain, pruned) == (93.0, 12.0)


# ── folds, and looking again ─────────────────────────────────────────────────


def test_nadeau_bengio_2003():
    assert variance_factor(10, 1 / 9) == pytest.approx(0.2111, abs=5e-5)
    differences = np.random.default_rng(1).normal(0.01, 0.02, 10)
    naive = differences.mean() / (differences.std(ddof=1) / np.sqrt(10))
    statistic, p_value = corrected_t(differences, test_over_train=1 / 9)
    assert statistic == pytest.approx(naive * np.sqrt(0.1 / 0.21111111))
    assert 0 < p_value < 1
    assert np.isnan(corrected_t([0.1, 0.1], test_over_train=1 / 9)[0])


@pytest.mark.parametrize(
    ("looks", "alarms"),
    [(1, 0.05), (2, 0.083), (3, 0.107), (4, 0.126), (5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320)],
)
def test_repeated_looks_of_armitage_mcpherson_rowe_1969(looks, alarms):
    assert false_alarm([1.959964] * looks) == pytest.approx(alarms, abs=6e-4)


@pytest.mark.parametrize(
    ("looks", "pocock", "obrien_fleming"),
    [(2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024), (5, 2.413, 2.040), (10, 2.555, 2.087)],
)
def test_constants_of_pocock_and_obrien_fleming(looks, pocock, obrien_fleming):
    """Jennison and Turnbull 2000, tables 2.1 and 2.3."""
    assert group_sequential(looks) == pytest.approx(pocock, abs=1.1e-3)
    assert group_sequential(looks, "obrien_fleming") == pytest.approx(obrien_fleming, abs=1.1e-3)


def test_mixture_sequential_likelihood_ratio():
    assert likelihood_ratio(100, 0.3, variance=1.0, spread=0.1) == pytest.approx(18.028637, abs=5e-7)


def test_peeking_after_every_row():
    """A hundred seeded series of 300 rows without an effect: the always-valid test errs at most as promised."""
    valid = naive = 0
    for seed in range(100):
        rows = np.random.default_rng(seed).normal(size=300)
        means = np.cumsum(rows) / np.arange(1, 301)
        valid += any(likelihood_ratio(n, m, variance=1.0, spread=0.1) > 20 for n, m in enumerate(means, start=1))
        naive += bool((np.abs(means[9:]) * np.sqrt(np.arange(10, 301)) > 1.96).any())
    assert valid <= 11
    assert naive > 25


# ── what a gate can decide: simulated tables of 100,000 runs ─────────────────


@pytest.mark.parametrize(
    ("rows", "gap", "passes", "fails"),
    [(100, 0.1, 0.0, 0.024), (100, 0.2, 0.0, 0.304), (400, 0, 0.655, 0), (400, 0.05, 0.3, 0), (400, 0.2, 0, 0.828),
     (1600, 0.05, 0.828, 0), (1600, 0.1, 0.026, 0.024), (1600, 0.15, 0, 0.826)],
)  # fmt: skip
def test_planned_chances_of_a_gap(rows, gap, passes, fails):
    found = chances_of_gap(gap, limit=0.1, error=error_of_gap(0.4, rows, rows))
    assert (found.passes, found.fails) == pytest.approx((passes, fails), abs=0.01)
    assert found.passes + found.uncertain + found.fails == pytest.approx(1)


@pytest.mark.parametrize(
    ("rows", "gain", "passes", "fails"),
    [
        (1000, 0, 0.206, 0.001),
        (2000, 0, 0.352, 0),
        (2000, -0.01, 0.025, 0.024),
        (5000, -0.02, 0, 0.712),
        (10000, 0, 0.943, 0),
    ],
)
def test_planned_chances_of_a_comparison(rows, gain, passes, fails):
    found = chances_of_comparison(gain, margin=0.01, error=error_of_paired_shares(0.08, gain, rows))
    assert (found.passes, found.fails) == pytest.approx((passes, fails), abs=0.008)
