"""Estimators, which give the value and the gradient of an objective at given angles."""
