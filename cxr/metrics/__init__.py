"""How good a model is: discrimination, classification, calibration and how sure we are of each.

Functions take arrays and return arrays; where one takes `weights_BN`, row b is a resample that
says how often each image counts, and the answer gets a leading axis B (see `intervals`).

Shapes: N images, L labels, C classes, B resamples, K points of a curve.
Labels: 1 present, 0 absent, NaN unknown; unknown ones are ignored. Undefined results are NaN.
"""
