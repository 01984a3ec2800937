"""Importers that come with nrm-plugin: one folder per format, each an ordinary plugin."""
