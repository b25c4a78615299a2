"""The version of this package, where also code that must not import the public API finds it."""

__version__ = "0.1.0"
