"""Role schemes on text: corpora, probes, decompositions, substitution and surgery."""
