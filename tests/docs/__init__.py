"""The documentation is executed: every block of code of every page, in order, against a running
product.
"""
