"""The functional core: decisions over frozen values, with time passed in.

No module of this package imports AWS, Spark, a clock or a source of randomness. The package also runs inside the Spark
job on EMR's Python 3.9, so it keeps to that version's syntax.
"""
