"""Studies: many candidates, one labelled set, and honest numbers to decide between them."""
