"""The fixed scales of integer models: what one unit of each integer means. They are part of the stream's version."""

STATE_BITS = 15
"""Pixels, hidden and memory units are in units of 2^-15."""
WEIGHT_BITS = 16
"""Weights of the spatial LSTMs are in units of 2^-16, so that their sums are in units of 2^-31."""
SIGMOID_BITS = 9
"""The table of the sigmoid has 2^9 places for each unit of its argument."""
GATE_BITS = 16
"""Gates, values of the sigmoid, are in units of 2^-16."""
LARGEST_MEMORY = 2**31
"""Memory units end here, at 2^16, if not before."""
HEAD_BITS = 16
"""Weights of the features and means of the MCGSM are in units of 2^-16."""
FEATURE_BITS = 16
"""Features of the MCGSM are at most 1 and in units of 2^-16."""
LOGIT_BITS = 8
"""Logits of the mixture are in units of 2^-8."""
GATE_WEIGHT_BITS = 16
"""Weights of the mixture are in units of 2^-16; the largest is 1."""
LEVEL_BITS = 8
"""Means and the edges between levels are in units of 2^-8 of a level of 8-bit pixels."""
INVERSE_BITS = 18
"""Reciprocals of standard deviations, in 1 / level, are in units of 2^-18."""
NORMAL_BITS = 10
"""The table of the normal distribution function has 2^10 places for each standard deviation."""
TOTAL_BITS = 24
"""Probabilities are in units of 2^-24."""
EXACT = 2**53
"""Integers below are exact in float64, and so are their sums and products that stay below, in any order."""
