"""What comparisons say, word by word."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from score_examples import SUBJECT, scores

from qhn.reports.compare import compare_deviations, compare_means, corrected
from qhn.reports.sentences import sentence


def made(differences, compare=compare_means, **options):
    column = np.asarray(differences)[:, None]
    return compare(SUBJECT, scores(column + 0.5), scores(np.full_like(column, 0.5)), **options)


def test_evidence():
    found = made([0.02, 0.03, 0.04, 0.05, 0.06, 0.07])
    assert sentence(corrected([found, found])[0]).startswith(
        "On moons, there is no evidence that the test expected accuracy differs between "
        "elbo lambda=0.1 and mle: the mean difference is +0.045 (95% interval +0.0254 to +0.0646), "
        "higher on 6 of 6 tasks, lower on 0; Wilcoxon signed-rank test, p = 0.031, after "
        "correction by Holm p = 0.062."
    )
    assert sentence(found) == (
        "On moons, the test expected accuracy of elbo lambda=0.1 is higher than that of mle: the "
        "mean difference is +0.045 (95% interval +0.0254 to +0.0646), higher on 6 of 6 tasks, "
        "lower on 0; Wilcoxon signed-rank test, p = 0.031, after correction by Holm p = 0.031."
    )


def test_no_evidence_says_how_many_tasks_it_would_take():
    found = made([0.02, -0.03, 0.04, 0.05, -0.06, 0.07, 1e-7])
    text = sentence(found)
    assert "lower on 2, 1 counted as ties" in text
    assert f"about {found.tasks_needed} tasks with as many seeds show it" in text
    assert f"(d = {found.effect.d:.2g})" in text


def test_too_few_tasks():
    assert "Fewer than 6 tasks cannot give evidence" in sentence(made([0.1, 0.2, 0.3, 0.4, 0.5]))


def test_all_ties():
    text = sentence(made([1e-9] * 8))
    assert text == (
        "On moons, there is no evidence that the test expected accuracy differs between elbo "
        "lambda=0.1 and mle: all 8 differences are below 0.0001 in size and counted as ties."
    )


def test_one_task_speaks_of_itself_only():
    seeds = np.linspace(0.6, 0.9, 8)[None, :]
    found = compare_means(SUBJECT, scores(seeds + seeds / 10), scores(seeds))
    text = sentence(found)
    assert "higher on 8 of 8 seeds" in text
    assert text.endswith(
        "This speaks of one task only (moons 0): nothing is claimed about other tasks."
    )
    assert "with as many seeds" not in text


def test_the_deviation_of_one_task_has_no_test():
    seeds = np.linspace(0.6, 0.9, 8)[None, :]
    text = sentence(compare_deviations(SUBJECT, scores(seeds), scores(seeds / 2)))
    assert "the deviation over seeds of the test expected accuracy differs" in text
    assert "the difference is +0.0525, without a test. This speaks of one task only" in text


def test_values_that_are_not_finite():
    text = sentence(made([0.1, math.nan, 0.2]))
    assert "some of the values are not finite, so that no test can be made." in text
    assert "nan" not in text


def test_a_setting_that_was_chosen_on_the_same_data_is_marked():
    found = replace(made([0.02, 0.03, 0.04, 0.05, 0.06, 0.07]), chosen_here=True)
    assert sentence(found).endswith("so that this comparison flatters it.")


def test_ranks_against_the_mean():
    found = made([*np.linspace(0.01, 0.02, 19), -0.9])
    assert "point in different directions" in sentence(found)


def test_very_small_p_values():
    assert "p < 0.0001" in sentence(made(np.linspace(0.01, 0.1, 20)))
