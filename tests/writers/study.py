"""A study file in which every table and key is used."""

WHOLE = """
title = "Carbonate against ether"
recipe = "recipe.toml"
figures = ["profiles", "violin"]
[regions]
edges = [0.5, 2, 1.0]
sweep = "cathodic"
cycle = 1
[depth]
bins = ["0-5 nm", "5 nm to 0.01 um"]
[primary]
quantity = "loss_modulus"
distance = "2-5nm"
region = "0.5-1.0 V"
[thickness]
modulus = "0.5 MPa"
[[comparison]]
between = ["carbonate", "ether"]
[[comparison]]
regions = ["0.5-1 V", "1-2 V"]
[[sample]]
name = "EC 1"
condition = "carbonate"
files = ["ec1/*.spm"]
experiment = "ec1.toml"
log = "cv.csv"
clock_offset = "1 min"
set = { spring_constant = "0.2 N/m" }
day = 2025-03-04
lever = "A"
[[sample]]
name = "DME 1"
condition = "ether"
files = "dme1"
"""
