"""The tables and figures that can be reproduced, by name."""

from ride.experiments import codecs, figure2, figure3, figure4, recipes, table1, table2, table3

TABLES = {
    "table1": table1.TABLE,
    "table2": table2.TABLE,
    "table3": table3.TABLE,
    "figure2": figure2.TABLE,
    "figure3": figure3.TABLE,
    "figure4": figure4.TABLE,
    "codecs": codecs.TABLE,
    "recipes": recipes.TABLE,
}
