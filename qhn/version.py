"""The version of this package, where also code that must not import the public API finds it."""

VERSION = "0.1.0"
