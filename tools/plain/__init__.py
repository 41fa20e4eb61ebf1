"""From MyST Markdown to plain Markdown, which Jupyter and Colab can show."""
