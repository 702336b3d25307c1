"""What a question is made of: typed options, the context that questions share, and how one is asked."""
