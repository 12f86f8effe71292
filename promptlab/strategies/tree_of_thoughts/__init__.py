"""Tree of thoughts (Yao et al., 2023): thoughts are proposed, valued and searched."""
