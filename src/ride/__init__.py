"""Tractable density models of images."""
