"""The pass over a corpus, and the activation store that it leaves."""
