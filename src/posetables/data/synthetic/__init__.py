"""Synthetic people in the native layouts of the data sets: what the `mini` scale trains and tests on.

One module a reader, with `write(folder, splits, seed)`. Image i of a split is a function of the seed, the data set,
the split and i, and of nothing else: asking for more changes no image that is already there. Files are the same to the
byte on every call.
"""
