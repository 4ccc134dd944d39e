"""TT Direct API: an HTTP API around a language model, calling the Generator API directly."""

__version__ = "0.1.0"
