"""Results of evaluations, comparisons of strategies and confidence intervals over questions."""
