"""Log-likelihood maps and rates, and the baselines beside them."""
