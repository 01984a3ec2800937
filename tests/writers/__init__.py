"""Writers of synthetic vendor files, independent of the readers that they test."""
