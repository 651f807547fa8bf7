"""Make the paper's analyses from results: comparisons, convergence, weights, runtime."""
