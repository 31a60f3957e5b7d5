"""The spatial LSTM, equation (6): one module over interchangeable implementations."""

from ride.models.slstm.layer import SpatialLSTM

__all__ = ["SpatialLSTM"]
