"""Something is learned and watched: the form that starts it, its curves, its words."""
