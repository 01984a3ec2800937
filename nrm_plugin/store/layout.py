"""What reader and writer of the common file must agree on."""

from __future__ import annotations

from nrm_plugin.vocabulary import SEGMENT_KINDS, START_TIME_SOURCES

FORMAT = "nrm-curves"
VERSION = (1, 0)

RESULTS_FORMAT = "nrm-results"
RESULTS_VERSION = (1, 0)

#: Unit of stored times, which are whole numbers.
EPOCH = "microseconds since 1970-01-01T00:00:00"

#: Columns of words: stored as numbers, with the words in flag_meanings.
WORDS = {"kind": SEGMENT_KINDS, "start_time_source": START_TIME_SOURCES}

#: Samples that are read or written at once.
BLOCK = 1 << 21
