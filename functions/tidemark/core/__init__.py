"""The pure part: decisions over frozen values, with time passed in.

Nothing below this package imports AWS, Spark, a clock or a source of randomness; it also runs inside the
Spark job on EMR's Python 3.9, so it keeps to that version's syntax.
"""
