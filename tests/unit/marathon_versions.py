"""Which steps between versions of Marathon are possible, as the tests expect them."""

import itertools

# From a version (row) to another one (column, in the same order): possible, or the store is too old
# or too new.
POSSIBLE, OLD, NEW = "+", "o", "n"
MATRIX = {
    "1.3.14": "++oooooo",
    "1.4.13": "n++++ooo",
    "1.5.15": "nn+++ooo",
    "1.6.567": "nnn+++++",
    "1.7.236": "nnnn++++",
    "1.8.244": "nnnnn+++",
    "1.9.109": "nnnnnn++",
    "1.10.26": "nnnnnnn+",
}
STEPS = [
    (old, new, MATRIX[old][column])
    for old, (column, new) in itertools.product(MATRIX, enumerate(MATRIX))
]
