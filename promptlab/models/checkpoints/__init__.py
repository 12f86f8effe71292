"""Model folders as others wrote them: checked, read tensor by tensor, and built."""
