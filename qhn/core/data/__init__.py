"""Small classification tasks."""
