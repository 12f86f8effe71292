"""How far a study is, read from its folder while it runs."""
