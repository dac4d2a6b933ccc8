"""Tables, figures, and one offline page, from any set of runs."""
