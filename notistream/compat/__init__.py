"""Private parts of libraries: one module per library, each reach with its reason.

`tests/unit/test_private_parts.py` compares each with what is installed.
"""
