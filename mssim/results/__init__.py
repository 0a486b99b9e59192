"""Results: evaluations, comparisons of strategies, and intervals over questions."""
