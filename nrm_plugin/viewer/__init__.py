"""The page in the browser: curves and results looked at and decided on, served on this computer."""
