"""The density models: causal neighborhood, conditional whitening, MCGSM, spatial LSTM, RIDE and its ensemble."""
