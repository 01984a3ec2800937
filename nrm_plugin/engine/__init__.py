"""From calibrated curves to moduli: contact, depth, derivative."""
